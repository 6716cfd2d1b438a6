/** Forwarding tables without a limit, and VXLAN packets that come in where their sender is not. */
import { VXLAN_PORT } from '../../../model/network/types/vxlan.ts';
import type { Check } from '../evidence.ts';
import { ownUnderlay } from './reach.ts';

/**
 * Finds VXLAN devices without a limit of entries: an earlier version made them, and the kernel sets the limit only when
 * it makes a device.
 */
export const unlimitedTable: Check = {
  name: 'fdb-limit',
  find({ networks, links }) {
    return networks.flatMap(({ network: { type } }) => {
      const vxlan = links.find(({ name }) => name === type.device)?.vxlan;
      if (vxlan === undefined || vxlan.entriesMax !== undefined) return [];
      return [
        {
          code: 'MESH_MACHINE_UNFIT' as const,
          severity: 'warning' as const,
          object: type.device,
          saw: `${type.device} was made by an earlier version of Meshwork, and holds any number of entries`,
          matters: 'A machine in the mesh that sends from made-up Ethernet addresses fills the memory of this machine.',
          remedy: `The next boot of this machine mends it. So does \`ip link delete ${type.device}\`: the agent makes the device again at once, and packets on the way are lost.`,
        },
      ];
    });
  },
};

/** Finds VXLAN packets that the rules have dropped since the route to their sender uses another NIC. */
export const wrongNic: Check = {
  name: 'wrong-nic',
  find(evidence) {
    const { counters, underlay } = evidence;
    const { fromElsewhere } = counters;
    // Packets to a NIC that is a port of a bridge come in by the bridge.
    if (fromElsewhere === 0 || ownUnderlay.find(evidence).length > 0) return [];
    const nics = underlay.map(({ link }) => link.name).join(', ');
    return [
      {
        code: 'MESH_UNDERLAY_UNFIT' as const,
        severity: 'warning' as const,
        object: nics || 'underlay',
        saw: `${fromElsewhere} VXLAN packets came in by another NIC than the one that the route to their sender uses, and were dropped, in the last two minutes`,
        matters:
          'Either a machine on one of the networks of this machine sends as a member that is elsewhere, or routes are asymmetric and members are not heard.',
        remedy: `If all members answer, look for the sender: \`tcpdump -eni any udp port ${VXLAN_PORT}\`. If one does not, compare that with \`ip route get ADDRESS\`: the route must use the NIC by which its packets come.`,
      },
    ];
  },
};
