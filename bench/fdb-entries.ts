/** Writing and reading FDB entries through rtnetlink, against `bridge`. */
import { spawnSync } from 'node:child_process';
import type { KernelOperation } from '../src/kernel/rtnl/operation.ts';
import { Rtnl } from '../src/kernel/rtnl/rtnl.ts';
import { parseIpv4 } from '../src/model/address/ipv4.ts';
import { parseMac } from '../src/model/address/mac.ts';
import { compared, type Measurement, timed } from './measurement.ts';
import { batch, inPlace } from './place.ts';
import { interleaved, type Run } from './run.ts';

const ENTRIES = 10_000;
const PAIRS = 3;
const FABRIC = ['link set lo up', 'link add vxlan1 type vxlan id 1 dstport 4789', 'link set vxlan1 up'];
const numbers = Array.from({ length: ENTRIES }, (_, i) => i + 1);

function macOf(number: number): string {
  return `02:0c:00:00:${(number >> 8).toString(16).padStart(2, '0')}:${(number & 255).toString(16).padStart(2, '0')}`;
}

function line(number: number): string {
  return `fdb replace ${macOf(number)} dev vxlan1 dst 10.0.${number >> 8}.${number & 255} self extern_learn`;
}

function operation(number: number): KernelOperation {
  const mac = parseMac(macOf(number));
  const remoteVtep = parseIpv4(`10.0.${number >> 8}.${number & 255}`);
  return { do: 'fdb-replace', table: 'self', link: 'vxlan1', mac, remoteVtep, state: 'permanent', externLearn: true };
}

/** The benchmark `entries`. */
export async function entries(run: Run): Promise<Measurement[]> {
  const place = { ours: () => inPlace(FABRIC, ours), theirs: () => inPlace(FABRIC, byBridge) };
  const pairs = await interleaved(run, PAIRS, `${ENTRIES} entries`, place.ours, place.theirs);
  const written = pairs.map(([mine, theirs]) => [mine.write, theirs.write] as const);
  const read = pairs.map(([mine, theirs]) => [mine.dump, theirs.dump] as const);
  return [
    compared(
      { name: `${ENTRIES} FDB entries, against bridge -batch`, unit: 'ms', budget: { of: 'ratio', atMost: 0.8 } },
      written,
    ),
    compared(
      { name: `dump of ${ENTRIES} FDB entries, against bridge -j`, unit: 'ms', budget: { of: 'ratio', atMost: 1 } },
      read,
    ),
  ];
}

async function ours(netns: string): Promise<{ write: number; dump: number }> {
  const rtnl = await Rtnl.open({ netns });
  try {
    const operations = numbers.map(operation);
    const write = await timed(async () => {
      for (const error of await rtnl.apply(operations)) if (error !== undefined) throw error;
    });
    return { write, dump: await timed(() => rtnl.fdb()) };
  } finally {
    await rtnl.close();
  }
}

async function byBridge(netns: string): Promise<{ write: number; dump: number }> {
  const lines = numbers.map(line);
  const write = await timed(() => batch(netns, 'bridge', lines));
  const command = [`--net=${netns}`, 'bridge', '-j', 'fdb'];
  const dump = await timed(() => JSON.parse(spawnSync('nsenter', command, { maxBuffer: 1e9 }).stdout.toString()));
  return { write, dump };
}
