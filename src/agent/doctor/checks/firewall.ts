/** Other firewalls on the machine. A packet must pass each of them and Meshwork's table, so each can break the mesh. */
import { VXLAN_PORT } from '../../../model/network/types/vxlan.ts';
import { type Chain, chainText, refusesByDefault, rulesAround } from '../../firewall/chain.ts';
import { blockText, type FirewallBlock, firewallBlocks } from '../../firewall/foreign-firewall.ts';
import type { Check, CheckFinding, Evidence, UnderlayLinkEvidence } from '../evidence.ts';

/** Settings that send bridged packets through the forward hooks of these nft families. */
const BRIDGE_CALLS = {
  'net/bridge/bridge-nf-call-iptables': ['ip', 'inet'],
  'net/bridge/bridge-nf-call-ip6tables': ['ip6', 'inet'],
} as const;

/** Finds forward chains that drop bridged packets by default. Docker makes such a policy when it starts. */
export const bridgedPackets: Check = {
  name: 'br-netfilter',
  find(evidence) {
    const families = Object.entries(BRIDGE_CALLS)
      .filter(([name]) => evidence.setting(name) === '1')
      .flatMap(([, called]) => called as readonly string[]);
    const bridges = evidence.networks.map(({ network }) => network.bridge.name);
    return evidence.chains.flatMap((chain) => {
      if (chain.hook !== 'forward' || !families.includes(chain.family) || !refusesByDefault(chain)) return [];
      const rules = rulesAround(chain, evidence.chains).join('\n');
      const refused = bridges.filter((bridge) => !rules.includes(`"${bridge}"`));
      if (refused.length === 0) return [];
      const insert = refused
        .map((bridge) => `\`nft insert rule ${chainText(chain)} iifname "${bridge}" oifname "${bridge}" accept\``)
        .join(', ');
      return [
        {
          code: 'MESH_MACHINE_UNFIT' as const,
          severity: 'error' as const,
          object: chainText(chain),
          saw: `bridged packets pass the forwarding hooks (bridge-nf-call-*), and the chain ${chainText(chain)} drops packets that no rule accepts; no rule names ${refused.join(', ')}`,
          matters:
            'Virtual machines and ports on these bridges reach no other machine, while this machine itself does.',
          remedy: `Let the bridge's own packets pass: ${insert}, with Docker in its chain DOCKER-USER, and where your firewall keeps its rules. If nothing on this machine filters bridged packets, \`sysctl net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0\` is simpler.`,
        },
      ];
    });
  },
};

/**
 * Finds chains of other programs on host0 that drop VXLAN packets between two segments, or change their source address.
 * Docker's policy for forwarded packets is the most frequent one.
 */
export const forwardFilter: Check = {
  name: 'forward-filter',
  find({ role, underlay, chains }) {
    if (role !== 'host0') return [];
    const found = new Map<string, { readonly block: FirewallBlock; readonly pairs: string[] }>();
    for (const from of underlay) {
      for (const to of underlay) {
        if (from.link.index === to.link.index) continue;
        for (const block of blocksBetween(from, to, chains)) {
          const key = blockText(block);
          const known = found.get(key) ?? { block, pairs: [] };
          known.pairs.push(`${from.link.name} to ${to.link.name}`);
          found.set(key, known);
        }
      }
    }
    return Array.from(found.values(), ({ block, pairs }) => forwardFinding(block, pairs));
  },
};

function blocksBetween(
  from: UnderlayLinkEvidence,
  to: UnderlayLinkEvidence,
  chains: readonly Chain[],
): FirewallBlock[] {
  const packet = {
    from: from.link.name,
    to: to.link.name,
    ...(from.subnet !== undefined && { source: from.subnet }),
    ...(to.subnet !== undefined && { destination: to.subnet }),
  };
  return [...firewallBlocks(packet, 'forward', chains), ...firewallBlocks(packet, 'postrouting', chains)].filter(
    ({ certain }) => certain,
  );
}

function forwardFinding(block: FirewallBlock, pairs: readonly string[]): CheckFinding {
  const { base, command, does } = block;
  const dropped = does === 'drop';
  return {
    code: 'MESH_MACHINE_UNFIT',
    severity: 'error',
    object: chainText(base),
    saw: `${blockText(block)} ${dropped ? 'drops' : 'changes the source of'} VXLAN packets that host0 forwards from ${pairs.join(', from ')}`,
    matters: dropped
      ? 'Members on different segments do not reach each other.'
      : "Members take packets of another segment as host0's own, and answer guests behind them at the wrong machine.",
    remedy: `Let VXLAN between the segments pass: \`${command}\`, and where your firewall keeps its rules.${
      dropped ? '' : ' Flows that are changed already stay so until `conntrack -D -p udp --dport 4789`.'
    }`,
  };
}

/** Finds an active firewalld whose rules do not name VXLAN's UDP port or one of the bridges. */
export const firewalld: Check = {
  name: 'firewalld',
  find(evidence) {
    const rules = evidence.chains.filter(({ table }) => table === 'firewalld').flatMap((chain) => chain.rules);
    if (rules.length === 0) return [];
    const unknown = [
      ...(rules.some((rule) => namesPort(rule, VXLAN_PORT)) ? [] : [`UDP ${VXLAN_PORT}`]),
      ...bridgesIn(evidence).filter((bridge) => !rules.some((rule) => rule.includes(`"${bridge}"`))),
    ];
    if (unknown.length === 0) return [];
    const trust = bridgesIn(evidence)
      .map((bridge) => ` --add-interface=${bridge}`)
      .join('');
    return [
      {
        code: 'MESH_MACHINE_UNFIT',
        severity: 'warning',
        object: 'firewalld',
        saw: `firewalld is active, and none of its rules names ${unknown.join(', ')}`,
        matters:
          'It rejects VXLAN packets of members that this machine has not sent to first, and packets that come in over a bridge.',
        remedy: `\`firewall-cmd --permanent --add-port=${VXLAN_PORT}/udp\`, \`firewall-cmd --permanent --zone=trusted${trust}\`, then \`firewall-cmd --reload\`.`,
      },
    ];
  },
};

function bridgesIn({ networks }: Evidence): string[] {
  return networks.map(({ network }) => network.bridge.name);
}

function namesPort(rule: string, port: number): boolean {
  return /\bdport\b/.test(rule) && new RegExp(`\\b${port}\\b`).test(rule);
}
