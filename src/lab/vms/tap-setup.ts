/** The net set-up without a script: a tap for each card, on the bridge of its net, with what the topology says of the link. */
import { ipBatch } from '../hosts/ip-batch.ts';
import { bridgeOfNet, tapOfVm } from '../topologies/vm-address.ts';
import { linkOf, mtuOfNet, type VmPlan } from '../topologies/vm-plan.ts';
import type { VmTopology } from '../topologies/vm-topology.ts';
import { bridgesIn } from './lab-nets.ts';
import { shapeLinks } from './link-shaping.ts';

/** Makes the taps of machines. The emulators can open them before the bridges are there. @throws MESH_LAB_FAILED */
export async function makeTaps(netns: string, topology: VmTopology, plans: readonly VmPlan[]): Promise<void> {
  const present = new Set(bridgesIn(netns));
  const commands = plans.flatMap(({ number, name, nets }) =>
    nets.flatMap((net) => {
      const tap = tapOfVm(net, number);
      const mtu = linkOf(topology, net, name).mtuBytes ?? mtuOfNet(topology, net);
      return [
        ...(present.has(tap) ? [] : [`tuntap add ${tap} mode tap`]),
        `link set ${tap} ${mtu === undefined ? '' : `mtu ${mtu} `}up`,
      ];
    }),
  );
  await ipBatch(commands, netns);
}

/** Puts the taps on the bridges, and shapes their links. @throws MESH_LAB_FAILED, MESH_NFT_REFUSED */
export async function plugTaps(netns: string, topology: VmTopology, plans: readonly VmPlan[]): Promise<void> {
  const plugs = plans.flatMap(({ number, nets }) =>
    nets.map((net) => `link set ${tapOfVm(net, number)} master ${bridgeOfNet(net)}`),
  );
  await ipBatch(plugs, netns);
  await shapeLinks(netns, topology, plans);
}

/** Removes the taps of machines. Those that are gone are left out. */
export async function removeTaps(netns: string, taps: readonly string[]): Promise<void> {
  const present = new Set(bridgesIn(netns));
  await ipBatch(
    taps.filter((tap) => present.has(tap)).map((tap) => `link delete ${tap}`),
    netns,
  );
}
