/** Building 500 networks from nothing by the agent's own loop, against `ip -batch` of the devices and addresses. */
import { memberAddresses } from '../src/model/network/member.ts';
import { itemsOf, MACHINE, networksFrom, UNDERLAY } from './many-networks.ts';
import { compared, type Measurement, measured, timed } from './measurement.ts';
import { BenchNode } from './node.ts';
import { batch, inPlace } from './place.ts';
import { interleaved, type Run } from './run.ts';

const NETWORKS = 500;
const PAIRS = 7;
const networks = networksFrom(1, NETWORKS);
const desired = itemsOf(networks);

/** The yardstick: the same devices with the same settings, and the same addresses. */
const LINES = networks.flatMap((network) => {
  const {
    type: { device: vxlan },
    bridge: { name: bridge },
  } = network;
  const { vtepMac, bridgeMac, ipv6, linkLocal } = memberAddresses(network, MACHINE);
  const { mtuBytes } = network;
  const { vni } = network.type;
  return [
    `link add ${bridge} address ${bridgeMac} mtu ${mtuBytes} type bridge`,
    `link set ${bridge} addrgenmode none up`,
    `link add ${vxlan} address ${vtepMac} mtu ${mtuBytes} master ${bridge} type vxlan id ${vni} dstport 4789 local 10.11.0.2 df inherit`,
    `link set ${vxlan} addrgenmode none up`,
    `address add ${ipv6}/64 dev ${bridge} nodad`,
    `address add ${linkLocal}/64 dev ${bridge} nodad`,
  ];
});

/** The change that another program makes. */
const CHANGE = networks.slice(0, 1).map(({ bridge }) => `link set ${bridge.name} mtu 1300`);

/** The benchmark `networks`. */
export async function manyNetworks(run: Run): Promise<Measurement[]> {
  const theirs = () => inPlace(UNDERLAY, (netns) => timed(() => batch(netns, 'ip', LINES)));
  const pairs = await interleaved(run, PAIRS, `${NETWORKS} networks`, () => inPlace(UNDERLAY, ours), theirs);
  return [
    compared(
      {
        name: `${NETWORKS} networks from nothing, against ip -batch`,
        unit: 'ms',
        budget: { of: 'ratio', atMost: 1.1 },
      },
      pairs.map(([mine, yardstick]) => [mine.fromNothing, yardstick]),
    ),
    measured(
      { name: 'one link of them changed, and put right', unit: 'ms', budget: { of: 'value', atMost: 60 } },
      pairs.map(([{ repair }]) => repair),
    ),
    measured(
      { name: 'steps of the same plan again', unit: 'steps', budget: { of: 'value', atMost: 0 } },
      pairs.map(([{ steps }]) => steps),
    ),
  ];
}

interface Ours {
  readonly fromNothing: number;
  readonly repair: number;
  readonly steps: number;
}

async function ours(netns: string): Promise<Ours> {
  await using node = await BenchNode.open(netns, () => desired);
  const { reconciler } = node;
  const fromNothing = await timed(() => reconciler.start());
  batch(netns, 'ip', CHANGE);
  const repair = await timed(() => reconciler.wake());
  return { fromNothing, repair, steps: (await reconciler.drift()).steps.length };
}
