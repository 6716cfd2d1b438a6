/** Which of host0's NICs are on one segment: found by probes, whatever the NICs are called and however many there are. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootNics, scanNics } from '../../../src/boot/nics/boot-nic.ts';
import { scan } from '../../../src/boot/nics/scan.ts';
import { Rtnl } from '../../../src/kernel/rtnl/rtnl.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { BootBench, type BootHost } from './boot-bench.ts';
import { BootClient } from './boot-client.ts';

let bench: BootBench;

beforeAll(() => {
  bench = new BootBench();
});

afterAll(() => bench.close());

async function scanned(netns: string, joinGroups: readonly (readonly string[])[] = []) {
  const rtnl = await Rtnl.open({ netns });
  try {
    const [links, addresses] = await Promise.all([rtnl.links(), rtnl.addresses()]);
    const nics = scanNics(links, bootNics(links, addresses, undefined));
    return await scan({ nics, addresses, joinGroups, netns });
  } finally {
    await rtnl.close();
  }
}

test('NICs on one switch, in a bridge of host0’s own, alone, without a carrier and down', async () => {
  const machine = bench.machine();
  for (const segment of ['segment-a', 'segment-b', 'segment-c', 'segment-d']) bench.segment(segment);
  // eth1 and eth10 are not the same, nor is eth10 on the segment of eth1.
  bench.plug(machine, {
    eth1: 'segment-a',
    eth2: 'segment-a',
    eth10: 'segment-b',
    eth3: 'segment-c',
    eth4: 'segment-d',
    eth5: 'segment-b',
    eth6: 'segment-c',
  });
  ip(
    machine,
    'link add dead type veth peer name deadend',
    'link set dead up',
    'link add br0 up type bridge',
    'link set eth3 master br0',
    'link set eth4 master br0',
    'link add meshwork0 up type veth peer name meshwork1',
    'link set meshwork0 alias meshwork:port:mesh-456',
    'address add 10.3.0.1/24 dev br0',
  );
  const { groups, nics, heard } = await scanned(machine);
  expect(groups.map((group) => [...group].sort())).toEqual([
    ['eth1', 'eth2'],
    ['eth10', 'eth5'],
    ['br0', 'eth3', 'eth4', 'eth6'],
  ]);
  expect(heard).toContainEqual({ from: 'eth1', by: 'eth2' });
  expect(heard).not.toContainEqual({ from: 'eth1', by: 'eth10' });
  const nic = (name: string) => nics.find((candidate) => candidate.name === name);
  expect(nic('dead')).toMatchObject({ up: true, carrier: false });
  expect(nic('deadend')).toMatchObject({ up: false, carrier: false });
  expect(nic('eth3')).toMatchObject({ bridge: 'br0', ipv4: [] });
  expect(nic('br0')).toMatchObject({ ipv4: ['10.3.0.1/24'] });
  expect(nic('meshwork0')).toBeUndefined();
  // The settings may join NICs that do not hear each other; names of missing NICs join nothing.
  const { groups: joined } = await scanned(machine, [
    ['eth10', 'eth99', 'eth1'],
    ['eth3', 'eth98'],
  ]);
  expect(joined.map((group) => [...group].sort())).toEqual([
    ['eth1', 'eth10', 'eth2', 'eth5'],
    ['br0', 'eth3', 'eth4', 'eth6'],
  ]);
});

test('three hundred NICs on three switches', async () => {
  const machine = bench.machine();
  const segments = ['segment-x', 'segment-y', 'segment-z'];
  for (const segment of segments) bench.segment(segment);
  const plugs = Array.from({ length: 300 }, (_, number) => [`eth${number}`, segments[number % 3] ?? ''] as const);
  bench.plug(machine, Object.fromEntries(plugs));
  const { groups } = await scanned(machine);
  expect(groups.map((group) => group.length)).toEqual([100, 100, 100]);
  expect(groups[1]).toContain('eth298');
});

test('host0 scans again when a cable joins two segments, and says in dry mode what it would answer on the one', async () => {
  const machine = bench.machine();
  for (const segment of ['segment-p', 'segment-q']) bench.segment(segment);
  bench.plug(machine, { eth1: 'segment-p', eth2: 'segment-q' });
  const node = bench.machine();
  bench.plug(node, { eth0: 'segment-q' });
  const host: BootHost = bench.host0('host0', machine, 'boot="dry"\n');
  host.start('host0');
  await host.segment('eth2', 'would serve', ({ service }) => service?.state === 'would');
  expect((await host.scan()).groups).toEqual([['eth1'], ['eth2']]);
  const client = BootClient.on(node);
  client.ask('efi');
  const { wouldHaveAnswered } = await host.segment(
    'eth2',
    'heard',
    (segment) => segment.wouldHaveAnswered?.length === 1,
  );
  expect(wouldHaveAnswered).toEqual([
    `${client.mac} (firmware, architecture 7): an address of 10.11.0.0/25 and ipxe.efi`,
  ]);
  client.close();
  expect(host.addresses('eth2')).toEqual([]);
  expect(inside(machine, 'ss', '-Hlun')).not.toMatch(/:(?:67|69|4011)\s/);
  bench.join('segment-p', 'segment-q');
  // A cable between two switches elsewhere changes no link here: host0 hears its own probe, at the latest in a minute.
  expect((await host.scan()).groups).toEqual([['eth1', 'eth2']]);
  expect((await host.boot()).segments).toMatchObject([{ device: 'eth1', nics: ['eth1', 'eth2'] }]);
  ip(machine, 'link set eth1 down');
  await host.segment('eth2', 'is alone', ({ device, nics }) => device === 'eth2' && nics.length === 1);
});
