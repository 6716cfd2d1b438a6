/** Two machines with one identity: a second host0, a doubled machine id, a doubled Ethernet address. */
import type { ErrorCode } from '../../../model/error.ts';
import type { NetworkId } from '../../../model/network/number.ts';
import type { Check, Evidence, OtherHost0 } from '../evidence.ts';

const DOUBLES: ReadonlySet<ErrorCode> = new Set(['MESH_MEMBER_DOUBLE', 'MESH_MEMBER_MOVING', 'MESH_MEMBER_FORGED']);

/** Finds a host0 that answers from another of its addresses than the one that this node was told. */
export const host0Address: Check = {
  name: 'host0-address',
  find: (evidence) =>
    evidence.otherHost0s
      .filter((other) => isAnotherAddress(other, evidence))
      .map(({ network, ipv4, isKnownMachine }) => {
        const known = evidence.knownHost0.join(', ');
        const sure = isKnownMachine
          ? `host0 answers in ${network.name} from ${ipv4}, and this node was told that host0 is at ${known}`
          : `${ipv4} answers as host0 of ${network.name}, and ${known}, where this node was told that host0 is, does not`;
        return {
          code: 'MESH_HOST0_UNKNOWN' as const,
          severity: 'error' as const,
          object: ipv4,
          saw: `${sure}: packets from ${ipv4} are dropped`,
          matters: 'This node does not become a member, or is one no more.',
          remedy: `${isKnownMachine ? 'Use' : 'If both addresses are of your host0, use'} the one that host0 sends from: give the agent \`--host0 ${ipv4}\` (AGENT_OPTIONS in /etc/default/meshwork, on Alpine in /etc/conf.d/meshwork-agent), and restart it.`,
        };
      }),
};

/** The networks in which host0 answers from another of its addresses than the one that this node was told. */
export function networksWithOtherHost0(evidence: Evidence): ReadonlySet<NetworkId> {
  const others = evidence.otherHost0s.filter((other) => isAnotherAddress(other, evidence));
  return new Set(others.map(({ network }) => network.id));
}

function isAnotherAddress({ network, isKnownMachine }: OtherHost0, { role, paths, knownHost0 }: Evidence): boolean {
  if (role === 'host0') return false;
  const host0 = paths.find((path) => path.network.id === network.id && knownHost0.includes(path.member.ipv4));
  return host0?.mesh === false && (isKnownMachine || host0.underlay);
}

/** Finds other machines that answer as host0, by a search on the underlay. One machine is never two host0s. */
export const twoHost0s: Check = {
  name: 'two-host0s',
  find: (evidence) =>
    evidence.otherHost0s
      .filter((other) => !other.isKnownMachine && !isAnotherAddress(other, evidence))
      .map(({ network, ipv4 }) => ({
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

/** Finds an underlay address that two network cards of a segment have. */
export const doubleAddress: Check = {
  name: 'double-address',
  find: ({ sharedAddresses, underlay, networks }) =>
    sharedAddresses.map(({ ipv4, device, macs }) => {
      const own = underlay.some((nic) => nic.ipv4 === ipv4);
      const member = networks.flatMap(({ members }) => members).find((candidate) => candidate.ipv4 === ipv4);
      const whose = own
        ? 'the address of this machine, '
        : member === undefined
          ? ''
          : `the address of ${member.name}, `;
      return {
        code: 'MESH_UNDERLAY_UNFIT' as const,
        severity: 'error' as const,
        object: ipv4,
        saw: `${macs.length} network cards on the segment behind ${device} have ${whose}${ipv4}: ${macs.join(' and ')}`,
        matters: 'Packets to this address reach now one machine and now the other.',
        remedy: `Give one of the two machines another address; the Ethernet addresses tell which they are (\`ip link\`). If both cards are in one machine, let each answer for its own address only: \`sysctl net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2\` there.`,
      };
    }),
};
