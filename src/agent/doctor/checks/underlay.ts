/** Whether the physical network carries what the meshes send: VXLAN packets at all, and large ones. */
import { VXLAN_PORT } from '../../../model/network.ts';
import type { Check, Facts } from '../facts.ts';
import { chainText, refusesByDefault, rulesAround } from '../filter-chain.ts';

/** Outer IPv4, UDP and VXLAN headers, and the inner Ethernet header (RFC 7348 §5). */
const OVERHEAD_BYTES = 50;

export const vxlanPort: Check = {
  name: 'udp-4789',
  find(facts) {
    const filtered = facts.paths.filter(({ underlay, mesh }) => underlay && !mesh);
    const suspects = inputFilters(facts);
    return filtered.map(({ member, network }) => ({
      severity: 'error' as const,
      object: member.name,
      saw: `${member.name} answers at its underlay address ${member.ipv4}, and not in ${network.name}`,
      matters: `UDP ${VXLAN_PORT} does not pass between the two machines, so nothing of the mesh does.`,
      remedy:
        suspects.length > 0
          ? `Here, ${suspects.join(' and ')} drops what it does not know: let UDP ${VXLAN_PORT} in, such as \`nft insert rule ${suspects[0]} udp dport ${VXLAN_PORT} accept\`.`
          : `Let UDP ${VXLAN_PORT} through the firewall of ${member.name} and whatever is between (\`tcpdump -ni any udp port ${VXLAN_PORT}\` on both ends shows where it is lost), and see that its agent runs.`,
    }));
  },
};

/** Chains on this machine that would drop VXLAN packets. */
function inputFilters({ chains }: Facts): string[] {
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
    const needed = Math.max(0, ...networks.map(({ network }) => network.fabric.mtuBytes)) + OVERHEAD_BYTES;
    return underlay
      .filter(({ link }) => link.mtuBytes < needed)
      .map(({ link: { name, mtuBytes } }) => ({
        severity: 'error' as const,
        object: name,
        saw: `${name} carries packets of ${mtuBytes} bytes, and the largest of the meshes need ${needed}`,
        matters: 'Small packets pass and large ones do not: a connection opens and then hangs.',
        remedy: `\`ip link set ${name} mtu ${Math.max(1500, needed)}\`, and the same in the network settings of the machine; every switch between must carry it too.`,
      }));
  },
};

export const pathMtu: Check = {
  name: 'path-mtu',
  find(facts) {
    // A narrow link of this machine's own explains all of them.
    if (linkMtu.find(facts).length > 0) return [];
    return facts.paths
      .filter(({ mesh, provedBytes, network }) => mesh && provedBytes < network.fabric.mtuBytes)
      .map(({ member, network, provedBytes }) => ({
        severity: 'error' as const,
        object: member.name,
        saw: `of a packet of ${network.fabric.mtuBytes} bytes to ${member.name} in ${network.name} nothing comes back; ${provedBytes} bytes pass`,
        matters: 'Small packets pass and large ones do not: a connection opens and then hangs.',
        remedy: `Something between here and ${member.ipv4} carries less than ${network.fabric.mtuBytes + OVERHEAD_BYTES} bytes: \`ping -M do -s ${network.fabric.mtuBytes + OVERHEAD_BYTES - 28} ${member.ipv4}\` from each hop finds it. Raise the MTU there.`,
      }));
  },
};
