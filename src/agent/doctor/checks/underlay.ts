/** Whether the underlay carries VXLAN packets at all, and large ones. */
import { ECHO_OVERHEAD_BYTES } from '../../../kernel/sockets/icmp.ts';
import { type Network, VXLAN_OVERHEAD_BYTES, VXLAN_PORT } from '../../../model/network/network.ts';
import type { Check, Evidence, PathEvidence } from '../evidence.ts';
import { chainText, refusesByDefault, rulesAround } from '../filter-chain.ts';

const HANGS = 'Small packets pass and large ones do not: a connection opens and then hangs.';

/**
 * Finds members that answer on the underlay and not in the mesh, with the chains of this machine that may be the cause.
 */
export const vxlanPort: Check = {
  name: 'udp-4789',
  find(evidence) {
    const suspects = inputFilters(evidence);
    const filtered = evidence.paths.filter(({ underlay, mesh }) => underlay && !mesh);
    return byNetwork(filtered).map(({ network, paths }) => {
      const members = paths.map(({ member }) => `${member.name} (${member.ipv4})`).join(', ');
      return {
        code: 'MESH_UNDERLAY_UNFIT' as const,
        severity: 'error' as const,
        object: network.name,
        saw: `no answer in ${network.name} from ${members}, while the same machines answer on the underlay`,
        matters: `UDP ${VXLAN_PORT} does not pass between them and this machine, so nothing of the mesh does.`,
        remedy:
          suspects.length > 0
            ? `On this machine, ${suspects.join(' and ')} drops VXLAN packets: let UDP ${VXLAN_PORT} in, for example with \`nft insert rule ${suspects[0]} udp dport ${VXLAN_PORT} accept\`.`
            : `Let UDP ${VXLAN_PORT} through the firewalls of these machines and between them (\`tcpdump -ni any udp port ${VXLAN_PORT}\` on both ends shows where it is lost), and check that their agents run.`,
      };
    });
  },
};

/** Chains on this machine that drop VXLAN packets: by a rule that names the port, or by default. */
function inputFilters({ chains }: Evidence): string[] {
  return chains
    .filter((chain) => {
      if (chain.hook !== 'input' || !['ip', 'inet'].includes(chain.family)) return false;
      const rules = rulesAround(chain, chains);
      const known = rules.some((rule) => new RegExp(`dport .*\\b${VXLAN_PORT}\\b.*accept`).test(rule));
      const named = rules.some((rule) => new RegExp(`dport .*\\b${VXLAN_PORT}\\b.*(?:drop|reject)`).test(rule));
      return named || (refusesByDefault(chain) && !known);
    })
    .map(chainText);
}

/** Finds underlay links whose MTU is too small for the widest mesh. */
export const linkMtu: Check = {
  name: 'link-mtu',
  find({ networks, underlay }) {
    const needed = Math.max(0, ...networks.map(({ network }) => network.fabric.mtuBytes)) + VXLAN_OVERHEAD_BYTES;
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
    const narrow = evidence.paths.filter(
      ({ mesh, provedBytes, network }) => mesh && provedBytes < network.fabric.mtuBytes,
    );
    return byNetwork(narrow).map(({ network, paths }) => {
      const { mtuBytes } = network.fabric;
      const members = paths.map(({ member, provedBytes }) => `${member.name} (${provedBytes})`).join(', ');
      const pingBytes = mtuBytes + VXLAN_OVERHEAD_BYTES - ECHO_OVERHEAD_BYTES[4];
      return {
        code: 'MESH_UNDERLAY_UNFIT' as const,
        severity: 'error' as const,
        object: network.name,
        saw: `packets of ${mtuBytes} bytes in ${network.name} do not come back from these members, only smaller ones (bytes): ${members}`,
        matters: HANGS,
        remedy: `Something on the way carries less than ${mtuBytes + VXLAN_OVERHEAD_BYTES} bytes: \`ping -M do -s ${pingBytes} ${paths[0]?.member.ipv4}\` from each hop finds it. Raise the MTU there.`,
      };
    });
  },
};

function byNetwork(paths: readonly PathEvidence[]): { network: Network; paths: PathEvidence[] }[] {
  const groups = new Map<string, { network: Network; paths: PathEvidence[] }>();
  for (const path of paths) {
    const group = groups.get(path.network.id) ?? { network: path.network, paths: [] };
    group.paths.push(path);
    groups.set(path.network.id, group);
  }
  return [...groups.values()];
}
