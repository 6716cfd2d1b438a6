/** Whether the physical network carries what the meshes send: VXLAN packets at all, and large ones. */
import { ECHO_OVERHEAD_BYTES } from '../../../kernel/sockets/icmp.ts';
import { type Network, VXLAN_OVERHEAD_BYTES, VXLAN_PORT } from '../../../model/network/network.ts';
import type { Check, Evidence, PathEvidence } from '../evidence.ts';
import { chainText, refusesByDefault, rulesAround } from '../filter-chain.ts';

const HANGS = 'Small packets pass and large ones do not: a connection opens and then hangs.';

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
            ? `Here, ${suspects.join(' and ')} drops what it does not know: let UDP ${VXLAN_PORT} in, such as \`nft insert rule ${suspects[0]} udp dport ${VXLAN_PORT} accept\`.`
            : `Let UDP ${VXLAN_PORT} through the firewalls of these machines and whatever is between (\`tcpdump -ni any udp port ${VXLAN_PORT}\` on both ends shows where it is lost), and see that their agents run.`,
      };
    });
  },
};

/** Chains on this machine that would drop VXLAN packets. */
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
        saw: `${name} carries packets of ${mtuBytes} bytes, and the largest of the meshes need ${needed}`,
        matters: HANGS,
        remedy: `\`ip link set ${name} mtu ${Math.max(1500, needed)}\`, and the same in the network settings of the machine; every switch between must carry it too.`,
      }));
  },
};

export const pathMtu: Check = {
  name: 'path-mtu',
  find(evidence) {
    // A narrow link of this machine's own explains all of them.
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
        saw: `packets of ${mtuBytes} bytes in ${network.name} do not come back from these members, only of so many: ${members}`,
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
