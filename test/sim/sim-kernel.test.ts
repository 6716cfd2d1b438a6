/** Proves that the simulated kernel has the same state and errors as the real one after the same random operations. */
import { expect, test } from 'vitest';
import type { Operation } from '../../src/agent/items/item-kind.ts';
import type { KernelDump } from '../../src/kernel/mirror/kernel-reader.ts';
import { temporaryNetns } from '../../src/kernel/netns.ts';
import type { KernelOperation } from '../../src/kernel/rtnl/operation.ts';
import { Rtnl } from '../../src/kernel/rtnl/rtnl.ts';
import { makeTap } from '../../src/kernel/tap/tap.ts';
import type { Ipv4 } from '../../src/model/address/ipv4.ts';
import type { Ipv6 } from '../../src/model/address/ipv6.ts';
import { FLOOD_MAC, type Mac } from '../../src/model/address/mac.ts';
import { MeshError } from '../../src/model/error.ts';
import type { Vni } from '../../src/model/network/types/vxlan.ts';
import { errnoOf } from '../kit/mesh-operations.ts';
import { ip } from '../kit/namespaces.ts';
import { pick, randomFrom } from '../kit/random.ts';
import { SimKernel } from './sim-kernel.ts';

const BRIDGES = ['br456', 'br457'] as const;
const VXLANS = ['vxlan456', 'vxlan457'] as const;
const TAPS = ['v1', 'v1f'] as const;
const MACS = ['02:00:00:00:0a:01', '02:00:00:00:0a:02', '02:00:00:00:0a:03'] as Mac[];
/** The links' own addresses. No operation makes an entry for one of them: the kernel makes these itself. */
const LINK_MACS = ['02:00:00:00:0b:01', '02:00:00:00:0b:02'] as Mac[];
const IPV4S = ['10.1.0.7', '10.1.0.8', '10.1.0.9'] as Ipv4[];
const IPV6S = ['fd42::1', 'fd42::2', 'fe80::3'] as Ipv6[];
const OURS = 200;
const ROUNDS = 40;
const OPERATIONS = 12;

type Step = KernelOperation | Extract<Operation, { do: 'tap-make' }>;
type Make = (random: () => number) => Step;

const MAKE: readonly Make[] = [
  (random) => ({
    do: 'link-add',
    kind: 'bridge',
    name: pick(random, BRIDGES),
    mac: pick(random, LINK_MACS),
    mtuBytes: 1380,
    group: 9,
  }),
  (random) => {
    const name = pick(random, VXLANS);
    const vxlan = { vni: Number(name.slice(5)) as Vni, udpPort: 4789, learning: true, df: 'inherit' } as const;
    const master = pick(random, BRIDGES);
    return {
      do: 'link-add',
      kind: 'vxlan',
      name,
      mac: pick(random, LINK_MACS),
      mtuBytes: 1380,
      group: 9,
      master,
      vxlan,
    };
  },
  (random) => ({
    do: 'link-set',
    link: pick(random, [...BRIDGES, ...VXLANS]),
    change: { alias: 'meshwork:x', addressMode: 'none', up: true },
  }),
  (random) => ({ do: 'link-set', link: pick(random, [...BRIDGES, ...VXLANS]), change: { up: random() < 0.8 } }),
  (random) => ({ do: 'link-set', link: pick(random, BRIDGES), change: { mac: pick(random, LINK_MACS) } }),
  (random) => ({ do: 'link-set', link: pick(random, VXLANS), change: { master: pick(random, ['', ...BRIDGES]) } }),
  (random) => ({ do: 'link-set', link: pick(random, VXLANS), change: { vxlan: { local: '10.1.0.2' as Ipv4 } } }),
  (random) => ({ do: 'tap-make', link: pick(random, TAPS), mac: pick(random, LINK_MACS) }),
  (random) => ({
    do: 'link-set',
    link: pick(random, TAPS),
    change: {
      mac: pick(random, LINK_MACS),
      mtuBytes: 1380,
      master: pick(random, ['', ...BRIDGES]),
      up: random() < 0.8,
    },
  }),
  (random) => ({
    do: 'link-set',
    link: pick(random, [...TAPS, ...VXLANS]),
    change: {
      master: pick(random, BRIDGES),
      options: { 'port learning': random() < 0.5 ? 0 : 1, 'port locked': random() < 0.5 ? 1 : 0 },
    },
  }),
  (random) => ({ do: 'link-set', link: pick(random, TAPS), change: { port: { learning: random() < 0.5 } } }),
  (random) => ({
    do: 'link-set',
    link: pick(random, TAPS),
    change: { options: { 'port isolated': random() < 0.5 ? 1 : 0 } },
  }),
  (random) => ({
    do: random() < 0.7 ? 'fdb-replace' : 'fdb-delete',
    table: 'master',
    link: pick(random, TAPS),
    mac: pick(random, MACS),
    state: 'dynamic',
    externLearn: true,
  }),
  (random) => ({ do: 'link-delete', link: pick(random, TAPS) }),
  (random) => ({ do: 'link-delete', link: pick(random, [...BRIDGES, ...VXLANS]) }),
  (random) => ({
    do: random() < 0.7 ? 'address-add' : 'address-delete',
    link: pick(random, BRIDGES),
    address: pick(random, IPV6S),
    length: 64,
    nodad: true,
  }),
  (random) => ({
    do: 'neighbour-replace',
    link: pick(random, BRIDGES),
    address: pick(random, IPV6S),
    mac: pick(random, MACS),
    protocol: OURS,
  }),
  (random) => ({ do: 'neighbour-delete', link: pick(random, BRIDGES), address: pick(random, IPV6S) }),
  (random) => ({ ...entry(random), do: random() < 0.7 ? 'fdb-replace' : 'fdb-delete' }),
  (random) => ({ ...entry(random), do: random() < 0.7 ? 'fdb-replace' : 'fdb-delete' }),
  (random) => ({
    do: random() < 0.7 ? 'fdb-append' : 'fdb-delete',
    table: 'self',
    link: pick(random, VXLANS),
    mac: FLOOD_MAC,
    remoteVtep: pick(random, IPV4S),
    state: 'permanent',
    externLearn: true,
  }),
  (random) => ({
    do: 'fdb-delete',
    table: 'master',
    link: pick(random, VXLANS),
    mac: pick(random, MACS),
    state: 'dynamic',
    externLearn: true,
  }),
  (random) => ({
    do: 'fdb-replace',
    table: 'master',
    link: pick(random, VXLANS),
    mac: pick(random, MACS),
    state: 'dynamic',
    externLearn: true,
  }),
  (random) => ({
    do: random() < 0.7 ? 'route-replace' : 'route-delete',
    destination: '10.2.0.0/16',
    gateway: '10.1.0.1' as Ipv4,
    protocol: OURS,
  }),
];

function entry(random: () => number) {
  return {
    table: 'self',
    link: pick(random, VXLANS),
    mac: pick(random, MACS),
    remoteVtep: pick(random, IPV4S),
    state: pick(random, ['permanent', 'dynamic'] as const),
    externLearn: true,
  } as const;
}

/** The objects that both kernels must agree on, as text: our links, and everything with our mark. */
function ours({ links, addresses, routes, neighbours, fdb }: KernelDump) {
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const mine = (link: number) => /^(?:br45|vxlan45|v1)/.test(names.get(link) ?? '');
  const lines = [
    ...links
      .filter(({ index }) => mine(index))
      .map(({ name, kind, mac, mtuBytes, up, master, group, alias, addressMode, vxlan, port }) =>
        JSON.stringify([
          'link',
          name,
          kind,
          mac,
          mtuBytes,
          up,
          names.get(master),
          group,
          alias,
          addressMode,
          vxlan?.local,
          port?.learning,
          port?.locked,
          // A port that carries nothing is disabled.
          Object.entries(port?.odd ?? {})
            .filter(([option]) => option !== 'port state')
            .toSorted(),
        ]),
      ),
    ...addresses
      .filter(({ link, nodad }) => mine(link) && nodad)
      .map(({ link, address, length, scope }) => JSON.stringify(['address', names.get(link), address, length, scope])),
    ...routes
      .filter(({ protocol }) => protocol === OURS)
      .map(({ destination, gateway }) => JSON.stringify(['route', destination, gateway])),
    ...neighbours
      .filter(({ protocol }) => protocol === OURS)
      .map(({ link, address, mac, state }) => JSON.stringify(['neighbour', names.get(link), address, mac, state])),
    ...fdb
      .filter(({ externLearn }) => externLearn)
      .map(({ table, link, mac, remoteVtep, state }) =>
        JSON.stringify(['entry', table, names.get(link), mac, remoteVtep, state]),
      ),
  ];
  return lines.sort();
}

/** In the real kernel, a deleted neighbour entry stays for a while as a failed one, and can be deleted once more. */
function comparable(operation: Step | undefined, errno: string | undefined): string | undefined {
  return operation?.do === 'neighbour-delete' && errno === 'ENOENT' ? undefined : errno;
}

const isForRtnl = (step: Step): step is KernelOperation => step.do !== 'tap-make';

/** Each tap is made alone, and what is between is one batch. */
function batchesOf(steps: readonly Step[]): Step[][] {
  const batches: Step[][] = [];
  for (const step of steps) {
    const last = batches.at(-1);
    if (last?.every(isForRtnl) && isForRtnl(step)) last.push(step);
    else batches.push([step]);
  }
  return batches;
}

/** Makes a tap in the real kernel. @returns the name of the errno */
function made({ link, mac }: Extract<Step, { do: 'tap-make' }>, netns: string): string | undefined {
  try {
    makeTap(link, { netns, mac });
    return undefined;
  } catch (thrown) {
    const error = MeshError.from(thrown);
    return error.code === 'MESH_KERNEL_FOREIGN_DEVICE' ? 'EEXIST' : errnoOf(error);
  }
}

test('random operations have the same effect as in the real kernel', async () => {
  const seed = Number(process.env.MESH_SEED ?? 1);
  const random = randomFrom(seed);
  const netns = temporaryNetns();
  const rtnl = await Rtnl.open({ netns: netns.path });
  try {
    ip(
      netns.path,
      'link add eth0 type veth peer name eth1',
      'address add 10.1.0.2/16 dev eth0',
      'link set eth0 up',
      'link set eth1 up',
    );
    const simulated = new SimKernel();
    simulated.addNic('eth0', '10.1.0.2' as Ipv4, 16);
    const history: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const operations = Array.from({ length: OPERATIONS }, () => pick(random, MAKE)(random));
      const errors: (string | undefined)[] = [];
      for (const batch of batchesOf(operations)) {
        const [first] = batch;
        if (first?.do === 'tap-make') errors.push(made(first, netns.path));
        else
          errors.push(
            ...(await rtnl.apply(batch.filter(isForRtnl))).map((error, at) => comparable(batch[at], errnoOf(error))),
          );
      }
      const expected = operations.map((operation) => comparable(operation, simulated.perform(operation)));
      history.push(
        ...operations.map((operation, at) => `${JSON.stringify(operation)} → ${errors[at]} / ${expected[at]}`),
      );
      const [links, addresses, routes, neighbours, fdb] = await Promise.all([
        rtnl.links(),
        rtnl.addresses(),
        rtnl.routes(),
        rtnl.neighbours(),
        rtnl.fdb(),
      ]);
      const why = `seed ${seed}, round ${round}; the last steps (real / simulated):\n${history.slice(-2 * OPERATIONS).join('\n')}`;
      expect(expected, why).toEqual(errors);
      expect(ours(simulated.dump()), why).toEqual(ours({ links, addresses, routes, neighbours, fdb }));
    }
  } finally {
    await rtnl.close();
    netns.close();
  }
});
