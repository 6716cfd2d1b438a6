/** Two machines with one identity: a second host0, a doubled machine id, a doubled Ethernet address. */
import type { ErrorCode } from '../../../model/error.ts';
import type { Check } from '../evidence.ts';

const DOUBLES: ReadonlySet<ErrorCode> = new Set(['MESH_MEMBER_DOUBLE', 'MESH_MEMBER_MOVING', 'MESH_MEMBER_FORGED']);

/** Finds other machines that answer as host0, by a search on the underlay. */
export const twoHost0s: Check = {
  name: 'two-host0s',
  find: ({ otherHost0s }) =>
    otherHost0s.map(({ network, ipv4 }) => ({
      code: 'MESH_HOST0_DOUBLE',
      severity: 'error' as const,
      object: ipv4,
      saw: `${ipv4} answers as host0 of ${network.name} too`,
      matters:
        'Each of the two lists only the nodes that asked it: the mesh falls into parts that do not see each other.',
      remedy: `Stop one: \`mesh system stop\` on ${ipv4}, or give its network another VNI; a host0 that was replaced must not be started again.`,
    })),
};

/**
 * Finds a doubled machine id. host0 refuses the newcomer, which has the refusal as a finding; host0 has a finding too.
 */
export const doubleMachine: Check = {
  name: 'double-id',
  find: ({ health }) =>
    health
      .filter(({ code }) => DOUBLES.has(code))
      .map((finding) => ({
        ...finding,
        saw: finding.message,
        matters: 'Two machines with one id have the same Ethernet and IPv6 addresses, and take each other’s packets.',
      })),
};

/** Finds members on one segment that have the same Ethernet address, in the kernel's neighbour table. */
export const doubleMac: Check = {
  name: 'double-mac',
  find({ underlay, neighbours, networks }) {
    const members = new Set(networks.flatMap(({ members }) => members.map(({ ipv4 }) => ipv4 as string)));
    return underlay.flatMap(({ link }) => {
      const owners = new Map<string, string[]>([[link.mac, ['this machine']]]);
      for (const { link: index, family, address, mac } of neighbours) {
        if (index !== link.index || family !== 4 || mac === undefined || !members.has(address)) continue;
        owners.set(mac, [...(owners.get(mac) ?? []), address]);
      }
      return [...owners]
        .filter(([, names]) => names.length > 1)
        .map(([mac, names]) => ({
          code: 'MESH_UNDERLAY_UNFIT' as const,
          severity: 'error' as const,
          object: mac,
          saw: `${names.join(' and ')} have the same Ethernet address ${mac} on the segment behind ${link.name}`,
          matters: 'Switches send the packets for both to the one that sent last.',
          remedy:
            'Give each its own: clones of one virtual machine image often share it; see its definition, or `ip link set … address`.',
        }));
    });
  },
};
