/** Whether the underlay carries VXLAN packets at all, and large ones. */
import { ECHO_OVERHEAD_BYTES } from '../../../kernel/sockets/icmp.ts';
import type { ErrorCode } from '../../../model/error.ts';
import type { Mesh } from '../../../model/network/mesh.ts';
import { VXLAN_PORT, vxlanOverheadBytes } from '../../../model/network/types/vxlan.ts';
import { blockText } from '../../firewall/foreign-firewall.ts';
import { widePortRemedy } from '../../view/port-findings.ts';
import { UNDERLAY_CODE } from '../../view/underlay-findings.ts';
import type { Check, Evidence, PathEvidence } from '../evidence.ts';
import { networksWithOtherHost0 } from './identity.ts';
import { localBlocks } from './local-firewall.ts';

const HANGS = 'Small packets pass and large ones do not: a connection opens and then hangs.';

/**
 * Finds members that answer on the underlay and not in the mesh, with the chains of this machine that may be the cause.
 */
export const vxlanPort: Check = {
  name: 'udp-4789',
  find(evidence) {
    if (evidence.health.some(({ code }) => code === UNDERLAY_CODE)) return [];
    const filtered = evidence.paths.filter(
      ({ underlay, mesh, network }) => underlay && !mesh && !isOutside(network, evidence),
    );
    return byNetwork(filtered).map(({ network, paths }) => {
      const suspects = localBlocks(evidence, paths);
      const members = paths.map(({ member }) => `${member.name} (${member.ipv4})`).join(', ');
      return {
        code: 'MESH_UNDERLAY_UNFIT' as const,
        severity: 'error' as const,
        object: network.name,
        saw: `no answer in ${network.name} from ${members}, while the same machines answer on the underlay`,
        matters: `UDP ${VXLAN_PORT} does not pass between them and this machine, so nothing of the mesh does.`,
        remedy:
          suspects.length > 0
            ? `On this machine, ${suspects.map(blockText).join(' and ')} ${suspects.every(({ certain }) => certain) ? 'drops' : 'may drop'} VXLAN packets: ${suspects.map(({ command }) => `\`${command}\``).join(', ')}, and where your firewall keeps its rules.`
            : `Let UDP ${VXLAN_PORT} through the firewalls of these machines and between them (\`tcpdump -ni any udp port ${VXLAN_PORT}\` on both ends shows where it is lost), and check that their agents run.`,
      };
    });
  },
};

const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'MESH_MEMBER_DOUBLE',
  'MESH_MEMBER_FORGED',
  'MESH_MEMBER_NOT_ADMITTED',
]);

/**
 * Whether this node is known to be no member of the network: it talks to a wrong address of host0, or host0 refuses it.
 * Members drop its packets as soon as host0 has taken it off the list, and then the silence of a member accuses no firewall.
 */
function isOutside({ id, name }: Mesh, evidence: Evidence): boolean {
  if (evidence.role === 'host0') return false;
  const isRefused = evidence.health.some(({ code, object }) => REFUSALS.has(code) && object === name);
  return isRefused || networksWithOtherHost0(evidence).has(id);
}

/** Finds underlay links whose MTU is too small for the widest mesh. */
export const linkMtu: Check = {
  name: 'link-mtu',
  find({ networks, underlay }) {
    const needed = Math.max(0, ...networks.map(({ network }) => outerBytes(network)));
    return underlay
      .filter(({ link }) => link.mtuBytes < needed)
      .map(({ link: { name, mtuBytes } }) => ({
        code: 'MESH_UNDERLAY_UNFIT' as const,
        severity: 'error' as const,
        object: name,
        saw: `${name} carries packets of ${mtuBytes} bytes, and the meshes need ${needed}`,
        matters: HANGS,
        remedy: `\`ip link set ${name} mtu ${Math.max(1500, needed)}\`, and the same in the network settings of the machine; every switch between must carry it too.`,
      }));
  },
};

/** Finds members from which packets of the promised size do not come back. */
export const pathMtu: Check = {
  name: 'path-mtu',
  find(evidence) {
    // A narrow link of this machine explains all of them.
    if (linkMtu.find(evidence).length > 0) return [];
    const narrow = evidence.paths.filter(({ mesh, provedBytes, network }) => mesh && provedBytes < network.mtuBytes);
    return byNetwork(narrow).map(({ network, paths }) => {
      const { mtuBytes } = network;
      const carriedBytes = outerBytes(network);
      const members = paths.map(({ member, provedBytes }) => `${member.name} (${provedBytes})`).join(', ');
      const pingBytes = carriedBytes - ECHO_OVERHEAD_BYTES[4];
      return {
        code: 'MESH_UNDERLAY_UNFIT' as const,
        severity: 'error' as const,
        object: network.name,
        saw: `packets of ${mtuBytes} bytes in ${network.name} do not come back from these members, only smaller ones (bytes): ${members}`,
        matters: HANGS,
        remedy: `Something on the way carries less than ${carriedBytes} bytes: \`ping -M do -s ${pingBytes} ${paths[0]?.member.ipv4}\` from each hop finds it. Raise the MTU there.`,
      };
    });
  },
};

/** Finds ports of guests that take larger packets than their network carries. */
export const portMtu: Check = {
  name: 'port-mtu',
  find: ({ ports, networks, underlay }) =>
    networks.flatMap(({ network: { id, name, mtuBytes } }) => {
      return ports
        .filter((port) => !underlay.some(({ link }) => link.name === port.interface))
        .filter((port) => port.network === id && (port.mtuBytes ?? 0) > mtuBytes)
        .map((port) => ({
          code: 'MESH_MACHINE_UNFIT' as const,
          severity: 'warning' as const,
          object: port.interface,
          saw: `${port.interface} has an MTU of ${port.mtuBytes} bytes, and ${name} carries ${mtuBytes}`,
          matters:
            'TCP works, since its packets are made smaller. Other packets of the guest that are larger vanish silently.',
          remedy: widePortRemedy(port.interface, mtuBytes),
        }));
    }),
};

/** The size of the packets that carry the largest packets of a network. */
function outerBytes({ mtuBytes, type }: Mesh): number {
  return mtuBytes + vxlanOverheadBytes(type.underlay);
}

/** Groups paths by their network. */
export function byNetwork(paths: readonly PathEvidence[]): { network: Mesh; paths: PathEvidence[] }[] {
  const groups = new Map<string, { network: Mesh; paths: PathEvidence[] }>();
  for (const path of paths) {
    const group = groups.get(path.network.id) ?? { network: path.network, paths: [] };
    group.paths.push(path);
    groups.set(path.network.id, group);
  }
  return [...groups.values()];
}
