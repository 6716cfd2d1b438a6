/**
 * Kernel work against iproute2, each in a fresh namespace, in pairs of one run:
 * `node bench/kernel.ts [networks] [rows] [pairs]`. Needs root. Prints medians in milliseconds and their ratio.
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TemporaryNetns, temporaryNetns } from '../src/kernel/netns.ts';
import type { KernelOperation } from '../src/kernel/operation.ts';
import { Rtnl } from '../src/kernel/rtnl.ts';
import { parseIpv4 } from '../src/model/ipv4.ts';
import { parseIpv6 } from '../src/model/ipv6.ts';
import { parseMac } from '../src/model/mac.ts';
import type { Vni } from '../src/model/network.ts';

const [networks = 500, rows = 10_000, pairs = 3] = process.argv.slice(2).map(Number);

function macOf(kind: string, number: number): string {
  return `02:${kind}${[24, 16, 8, 0].map((shift) => `:${((number >> shift) & 255).toString(16).padStart(2, '0')}`).join('')}`;
}

function networkLines(vni: number): string[] {
  return [
    `link add br${vni} address ${macOf('0b', vni)} mtu 1380 type bridge`,
    `link add vxlan${vni} address ${macOf('0a', vni)} mtu 1380 master br${vni} type vxlan id ${vni} dstport 4789 df inherit`,
    `link set br${vni} up`,
    `link set vxlan${vni} up`,
    `address add fd00:${vni.toString(16)}::1/64 dev br${vni} nodad`,
  ];
}

function networkOperations(vni: number): KernelOperation[] {
  const bridge = `br${vni}`;
  const name = `vxlan${vni}`;
  const vxlan = { vni: vni as Vni, udpPort: 4789, learning: true, df: 'inherit' } as const;
  const mtuBytes = 1380;
  return [
    { do: 'link-add', kind: 'bridge', name: bridge, mac: parseMac(macOf('0b', vni)), mtuBytes },
    { do: 'link-add', kind: 'vxlan', name, mac: parseMac(macOf('0a', vni)), mtuBytes, master: bridge, vxlan },
    { do: 'link-set', link: bridge, change: { up: true } },
    { do: 'link-set', link: name, change: { up: true } },
    { do: 'address-add', link: bridge, address: parseIpv6(`fd00:${vni.toString(16)}::1`), length: 64, nodad: true },
  ];
}

function rowLine(number: number): string {
  return `fdb replace ${macOf('0c', number)} dev vxlan1 dst 10.0.${number >> 8}.${number & 255} self extern_learn`;
}

function rowOperation(number: number): KernelOperation {
  const mac = parseMac(macOf('0c', number));
  const destination = parseIpv4(`10.0.${number >> 8}.${number & 255}`);
  return { do: 'fdb-replace', table: 'self', link: 'vxlan1', mac, destination, state: 'permanent', externLearn: true };
}

function batch(netns: string, tool: 'ip' | 'bridge', lines: readonly string[]): void {
  const input = lines.join('\n');
  const { status, stderr } = spawnSync('nsenter', [`--net=${netns}`, tool, '-batch', '-'], { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

async function apply(rtnl: Rtnl, operations: readonly KernelOperation[]): Promise<void> {
  for (const error of await rtnl.apply(operations)) if (error !== undefined) throw error;
}

async function timed(body: () => unknown): Promise<number> {
  const start = performance.now();
  await body();
  return performance.now() - start;
}

/** The kernel goes on deleting under its lock after a namespace is closed: wait until a link is made fast again. */
async function discard(netns: TemporaryNetns): Promise<void> {
  netns.close();
  const probe = temporaryNetns();
  for (let quiet = 0; quiet < 5; await sleep(200)) {
    const ms = await timed(() => batch(probe.path, 'ip', ['link add x type bridge', 'link set x up', 'link del x']));
    quiet = ms < 100 ? quiet + 1 : 0;
  }
  probe.close();
}

/** One measurement of ours and one of theirs, in namespaces of their own. */
async function pair(
  prepare: readonly string[],
  ours: (rtnl: Rtnl) => Promise<unknown>,
  theirs: (netns: string) => unknown,
): Promise<[number, number]> {
  const mine = temporaryNetns();
  batch(mine.path, 'ip', prepare);
  const rtnl = await Rtnl.open({ netns: mine.path });
  const ourMs = await timed(() => ours(rtnl));
  await rtnl.close();
  await discard(mine);
  const other = temporaryNetns();
  batch(other.path, 'ip', prepare);
  const theirMs = await timed(() => theirs(other.path));
  await discard(other);
  return [ourMs, theirMs];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function compare(what: string, measure: () => Promise<[number, number]>): Promise<void> {
  const results: [number, number][] = [];
  for (let i = 0; i < pairs; i++) results.push(await measure());
  const [ours, theirs] = [median(results.map(([mine]) => mine)), median(results.map(([, other]) => other))];
  const ratio = median(results.map(([mine, other]) => mine / other));
  console.log(`${what}: ${ours.toFixed(1)} ms, iproute2 ${theirs.toFixed(1)} ms, ratio ${ratio.toFixed(2)}`);
}

const vnis = Array.from({ length: networks }, (_, i) => i + 1);
const numbers = Array.from({ length: rows }, (_, i) => i + 1);
const fabric = ['link set lo up', ...networkLines(1)];

await compare(`${rows} rows`, () =>
  pair(
    fabric,
    (rtnl) => apply(rtnl, numbers.map(rowOperation)),
    (netns) => batch(netns, 'bridge', numbers.map(rowLine)),
  ),
);
await compare(`dump of ${rows} rows`, async () => {
  const netns = temporaryNetns();
  batch(netns.path, 'ip', fabric);
  batch(netns.path, 'bridge', numbers.map(rowLine));
  const rtnl = await Rtnl.open({ netns: netns.path });
  await rtnl.fdb();
  const ours = await timed(() => rtnl.fdb());
  const command = [`--net=${netns.path}`, 'bridge', '-j', 'fdb'];
  const theirs = await timed(() => JSON.parse(spawnSync('nsenter', command, { maxBuffer: 1e9 }).stdout.toString()));
  await rtnl.close();
  await discard(netns);
  return [ours, theirs];
});
await compare(`${networks} networks`, () =>
  pair(
    ['link set lo up'],
    (rtnl) => apply(rtnl, vnis.flatMap(networkOperations)),
    (netns) => batch(netns, 'ip', vnis.flatMap(networkLines)),
  ),
);
