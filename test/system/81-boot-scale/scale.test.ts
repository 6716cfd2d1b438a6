/** A hundred machines, two hundred in the long run, boot at once, on a segment that loses packets, while host0's daemon is killed. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { LONG } from '../../kit/long.ts';
import { inside } from '../../kit/namespaces.ts';
import { BootBench, type BootHost } from '../80-boot/boot-bench.ts';
import { SmallDisk } from '../small-disk.ts';
import { type CrowdMember, CrowdRun, crowdOf, losePackets, plugIn } from './crowd.ts';
import { configure, ownText, publishImage, writeMachines } from './rack.ts';
import type { Booted } from './synthetic-machine.ts';

const CONF = 'boot="auto"\nsubnet_pool="10.77.0.0/16"\ndefault_subnet_size="24"\n';
const HOST0 = '10.77.0.1';
const MACHINES = LONG ? 200 : 100;
const DISK_BYTES = 24 * 1024 * 1024;
const LOST_PERCENT = 2;
const AT_ONCE = 20;
const BOOTED_MS = 90_000;

let bench: BootBench;
let host: BootHost;
let disk: SmallDisk;
let rack: string;
let crowd: readonly CrowdMember[];
let image: { readonly kernel: string; readonly initrd: string };

beforeAll(async () => {
  bench = new BootBench();
  const machine = bench.machine();
  rack = bench.machine();
  bench.segment('one');
  bench.plug(machine, { eth1: 'one' });
  bench.plug(rack, { eth0: 'one' });
  host = bench.host0('host0', machine, CONF);
  disk = new SmallDisk(pathsBelow(host.root).state, DISK_BYTES);
  disk.mount();
  crowd = crowdOf(MACHINES, HOST0, '10.77.0');
  host.start('host0');
  host.start('agent');
  plugIn(rack, crowd);
  writeMachines(host.root, crowd);
  expect(configure(host.root)).toMatchObject({ status: 0 });
  image = await publishImage(host.root, 300_000, 1_200_000);
  await serves();
});

afterAll(async () => {
  // The records of the processes that host0 left running are on the disk: it is unmounted after them.
  await host?.close();
  disk?.unmount();
  await bench?.close();
});

function serves() {
  return host.segment('eth1', 'serves', ({ mode, service }) => mode === 'server' && service?.state === 'running');
}

/** Each machine has the whole image, its own overlay only, and its secrets once. */
function expectOwn(booted: readonly Booted[], members: readonly CrowdMember[]): void {
  const byAddress = new Map(booted.map((boot) => [boot.address, boot]));
  for (const member of members) {
    const boot = byAddress.get(member.address);
    expect(boot).toMatchObject({ machine: member.machine, ...image, secondTime: 403 });
    expect(boot?.overlay.match(/belongs to [^\n]+/g)).toEqual([ownText(member)]);
  }
  expect(booted).toHaveLength(members.length);
  const secrets = booted.flatMap((boot) => (boot.secrets === '' ? [] : [boot.secrets]));
  expect(new Set(secrets).size).toBe(secrets.length);
}

function sum(booted: readonly Booted[], what: 'attempts' | 'waits' | 'retries' | 'resumed'): number {
  return booted.reduce((total, boot) => total + boot[what], 0);
}

async function killed(run: CrowdRun, when: number): Promise<void> {
  await run.until(when, BOOTED_MS);
  await host.end('host0', 'SIGKILL');
  host.start('host0');
}

test(`all of ${MACHINES} machines boot, each with its own overlay and secrets`, async () => {
  losePackets(rack, LOST_PERCENT);
  const startMs = performance.now();
  const run = new CrowdRun(rack, crowd);
  try {
    await killed(run, MACHINES / 4);
    await run.all(BOOTED_MS);
  } finally {
    run.close();
  }
  inside(rack, 'nft', 'delete table inet loss');
  const { booted } = run;
  expectOwn(booted, crowd);
  // Otherwise waits, retries and resumed downloads were not tested.
  expect(sum(booted, 'resumed')).toBeGreaterThan(LONG ? MACHINES / 4 : 0);
  expect(sum(booted, 'waits')).toBeGreaterThan(LONG ? MACHINES / 2 : 0);
  expect(sum(booted, 'retries')).toBeGreaterThan(0);
  const counts = (['attempts', 'waits', 'retries', 'resumed'] as const).map((what) => `${what} ${sum(booted, what)}`);
  console.info(`${MACHINES} machines in ${Math.round(performance.now() - startMs)} ms: ${counts.join(', ')}`);
});

test('twenty machines boot while the disk is full and the daemon is killed, and again when it has room', async () => {
  const some = crowd.slice(0, AT_ONCE);
  // After a clean restart, the store's files have no free room from before.
  await host.end('host0', 'SIGTERM');
  host.start('host0');
  await serves();
  disk.fill();
  const run = new CrowdRun(rack, some);
  try {
    await killed(run, 1);
    await run.until(AT_ONCE / 2, BOOTED_MS);
    disk.clear();
    await run.all(BOOTED_MS);
  } finally {
    disk.clear();
    run.close();
  }
  expectOwn(run.booted, some);
  expect(host.events().map(({ kind }) => kind)).toContain('boot not recorded');
  const again = new CrowdRun(rack, some);
  await again.all(BOOTED_MS).finally(() => again.close());
  expectOwn(again.booted, some);
});

test('on a full disk nothing is compiled and machines get the old overlays; with room they get the new ones', async () => {
  const [one] = crowd as [CrowdMember];
  const bootsWith = async (edition: string) => {
    const run = new CrowdRun(rack, [one]);
    await run.all(BOOTED_MS).finally(() => run.close());
    expect(run.booted[0]?.overlay).toContain(ownText(one, edition));
  };
  writeMachines(host.root, crowd, 'second');
  disk.fill();
  const refused = configure(host.root);
  expect(refused.status).not.toBe(0);
  expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: 'MESH_DISK_REFUSED' } });
  await bootsWith('first');
  disk.clear();
  expect(configure(host.root)).toMatchObject({ status: 0 });
  await bootsWith('second');
});

test('a token that another machine shows, or the right machine shows twice, is refused and reported', async () => {
  const [one, other] = crowd as [CrowdMember, CrowdMember];
  const get = (from: CrowdMember, path: string) =>
    inside(rack, 'curl', '-s', '-w', '\n%{http_code}', '--interface', from.address, `http://${HOST0}${path}`);
  const script = get(one, `/boot/${one.mac.replaceAll(':', '-')}.ipxe?uuid=${one.uuid}`);
  const [, token = ''] = /mesh\.token=([0-9a-f]{32})/.exec(script) ?? [];
  const [, overlay = ''] = /mesh\.overlay=http:\/\/[^/]+(\S+)/.exec(script) ?? [];
  const status = (from: CrowdMember, path: string) => get(from, path).split('\n').at(-1);
  expect(status(other, `/secrets/${token}`)).toBe('403');
  expect(status(other, overlay)).toBe('404');
  expect(status(one, overlay)).toBe('200');
  // Another card takes the address: the kernel's neighbour entry shows that.
  inside(rack, 'ip', 'link', 'set', 'card0', 'address', '02:77:66:66:66:66');
  inside(rack, 'ip', 'link', 'set', 'card0', 'up');
  inside(host.netns, 'ip', 'neighbour', 'flush', 'dev', 'eth1');
  expect(status(one, `/secrets/${token}`)).toBe('403');
  inside(rack, 'ip', 'link', 'set', 'card0', 'address', one.mac);
  inside(host.netns, 'ip', 'neighbour', 'flush', 'dev', 'eth1');
  expect(status(one, `/secrets/${token}`)).toBe('200');
  expect(status(one, `/secrets/${token}`)).toBe('403');
  const told = host.events().filter(({ code }) => code === 'MESH_BOOT_SECRET_REFUSED');
  expect(told.slice(-3).map(({ object, message }) => `${object} ${message}`)).toEqual([
    expect.stringContaining(`${one.machine} machine ${one.machine} boots at ${one.address}, and ${other.address} asks`),
    expect.stringContaining(`${one.address} now has the MAC 02:77:66:66:66:66`),
    expect.stringContaining('was shown a second time'),
  ]);
  // The other machine asks for a script with the MAC of the first.
  expect(get(other, `/boot/${one.mac.replaceAll(':', '-')}.ipxe?uuid=${one.uuid}`)).toContain('does not boot machine');
});
