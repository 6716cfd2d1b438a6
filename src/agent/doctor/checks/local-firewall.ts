/** What the foreign firewalls of this machine do with the VXLAN packets of paths to other members. */
import { ipv4InSubnet, ipv4Subnet } from '../../../model/address/ipv4.ts';
import { type FirewallBlock, firewallBlocks } from '../../firewall/foreign-firewall.ts';
import type { Evidence, PathEvidence } from '../evidence.ts';

/** The chains that drop packets of these paths, each once, those that surely do first. */
export function localBlocks({ chains, underlay }: Evidence, paths: readonly PathEvidence[]): FirewallBlock[] {
  const [first] = underlay;
  const found = new Map<string, FirewallBlock>();
  for (const { member } of paths) {
    const other = ipv4Subnet(member.ipv4, 32);
    const nic = (underlay.find(({ subnet }) => subnet !== undefined && ipv4InSubnet(member.ipv4, subnet)) ?? first)
      ?.link.name;
    const arriving = { ...(nic !== undefined && { from: nic }), source: other };
    const leaving = { ...(nic !== undefined && { to: nic }), destination: other };
    for (const block of [...firewallBlocks(arriving, 'input', chains), ...firewallBlocks(leaving, 'output', chains)]) {
      const { base } = block;
      const key = `${base.family} ${base.table} ${base.name}`;
      if (block.does === 'drop' && !found.get(key)?.certain) found.set(key, block);
    }
  }
  return [...found.values()].sort((a, b) => Number(b.certain) - Number(a.certain));
}
