/**
 * What a network that this node routes adds to the table `inet meshwork`: what may leave and enter the network, and behind which addresses
 * its guests are. A packet from one such network to another passes both: a chain returns what it lets through.
 */
import type { Ip } from '../../../../kernel/ip.ts';
import type { HostInterface } from '../../../../model/network/host-address.ts';
import type { RoutingVerdict } from '../../../../model/network/routing.ts';
import { VXLAN_PORT } from '../../../../model/network/types/vxlan.ts';
import { HELLO_PORT } from '../../../../protocol/documents/tcp-ports.ts';
import { nftElements, nftName } from '../../../items/nft-text.ts';
import type { BridgedNetwork } from '../../bridged-network.ts';
import type { ChainShare, RuleContribution } from '../contribution.ts';
import { CONFINED_SET, INET_PLACE, ROUTED_SET } from '../inet-table.ts';
import { chain } from '../refusal-chains.ts';
import { forwardLines, passLines } from './forward-rules.ts';
import type { RoutedHere } from './routed-here.ts';
import { matchesOf } from './routing-match.ts';

const FAMILIES = ['ip', 'ip6'] as const;
const ROUTED_MODES: readonly string[] = ['routed', 'nat', 'open'];
/** Groups and broadcasts stay on their link, with the address of their sender. */
const GROUPS = { ip: ['224.0.0.0/4', '255.255.255.255'], ip6: ['ff00::/8'] } as const;
/**
 * What host0 serves to machines that boot: HTTP, DHCP, TFTP and PXE. host0 knows a machine by its address on the underlay, which guests behind
 * that address share.
 */
const BOOT_SERVICES = ['tcp . 80', 'udp . 67', 'udp . 69', 'udp . 4011'];
/** The words of nft for a verdict. What is let through goes on to the chain of the network at its other end. */
const VERDICTS: Readonly<Record<RoutingVerdict, string>> = { accept: 'return', drop: 'drop', reject: 'reject' };

/** Whether a node with these addresses on the bridge routes the network. */
export function isRouted(network: BridgedNetwork, given: readonly HostInterface[] | undefined): boolean {
  return given !== undefined && given.length > 0 && ROUTED_MODES.includes(network.routing.mode);
}

/** The contribution of a network. */
export function routingRules(here: RoutedHere): RuleContribution {
  const { number, bridge } = here.network;
  const name = nftName(bridge.name);
  const [out, into] = [`leave-${number}`, `enter-${number}`];
  const hasForwards = here.network.routing.rules.some(({ forwardTo }) => forwardTo !== undefined);
  return {
    number,
    what: 'routing',
    inet: {
      sets: [
        { name: ROUTED_SET, declaration: 'type ifname', elements: [name], kind: 'sized' },
        // Who chose `open` wants no rules of ours.
        ...(here.network.routing.mode === 'open'
          ? []
          : [{ name: CONFINED_SET, declaration: 'type ifname', elements: [name], kind: 'sized' } as const]),
      ],
      chains: [
        ...leaveChains(out, here),
        chain(into, enterLines(here)),
        {
          name: INET_PLACE.leaving,
          rules: bootGuard(here),
          verdicts: { key: 'iifname', elements: [`${name} : goto ${out}`] },
        },
        { name: INET_PLACE.entering, verdicts: { key: 'oifname', elements: [`${name} : goto ${into}`] } },
        ...share(INET_PLACE.forwards, hasForwards ? guarded(forwardLines(here), here) : []),
        ...(hasForwards ? share(INET_PLACE.sources, hairpinLines(here)) : []),
        ...sourceChains(here),
      ],
    },
  };
}

function share(name: string, rules: readonly string[]): ChainShare[] {
  return rules.length === 0 ? [] : [chain(name, rules)];
}

/** The subnets of one family that guests of a network have, also behind guests that are routers. */
function netsOf({ subnets, routes }: BridgedNetwork, family: 'ip' | 'ip6', isBehind = true): string[] {
  const all = [...subnets.map(({ cidr }) => cidr), ...(isBehind ? routes.map(({ cidr }) => cidr) : [])];
  return [...new Set(all.filter((cidr) => cidr.includes(':') === (family === 'ip6')))];
}

/** Matches what the nodes of a mesh say to each other. */
function meshTraffic({ vxlanPorts }: RoutedHere): string {
  const ports = [...new Set([VXLAN_PORT, HELLO_PORT, ...vxlanPorts])].sort((a, b) => a - b);
  return `udp dport { ${nftElements(ports.map(String))} }`;
}

/** A guest asks host0 for nothing that host0 would give to this node: its boot script, its secrets, its address. */
function bootGuard({ host0s }: RoutedHere): string[] {
  if (host0s.length === 0) return [];
  return [`ip daddr { ${nftElements(host0s)} } meta l4proto . th dport { ${BOOT_SERVICES.join(', ')} } drop`];
}

/** What members say to this node leads to no guest, whatever ports a rule names. */
function guarded(forwards: readonly string[], here: RoutedHere): string[] {
  return forwards.length === 0 ? [] : [`${meshTraffic(here)} return`, ...forwards];
}

/** A guest behind an address of this node must not speak as this node to others: a VXLAN packet would be one of a member. */
function leaveChains(name: string, here: RoutedHere): ChainShare[] {
  const { network } = here;
  const { mode, via, policy, rules } = network.routing;
  const guard = `${meshTraffic(here)} drop`;
  if (mode === 'open') return [chain(name, [guard])];
  const own = `${name}-own`;
  const senders = FAMILIES.flatMap((family) => oneEach(`${family} saddr`, netsOf(network, family), `goto ${own}`));
  const lines = [
    'ct state established,related return',
    ...(via.length === 0 ? [] : [`oifname != { ${names(via)} } reject`]),
    ...rules
      .filter(({ direction }) => direction === 'out')
      .flatMap((rule) => matchesOf(rule).map((match) => `${match} ${VERDICTS[rule.verdict]}`)),
    ...(policy === undefined || policy.out === 'accept' ? [] : [VERDICTS[policy.out]]),
  ];
  return [chain(own, lines), chain(name, [guard, ...senders, 'drop'])];
}

function enterLines(here: RoutedHere): string[] {
  const { network } = here;
  const { mode, via, policy, rules } = network.routing;
  if (mode === 'open') return [];
  return [
    'ct state established,related return',
    ...(via.length === 0 ? [] : [`iifname != { ${names(via)} } ct status & dnat == 0 reject`]),
    ...rules
      .filter(({ direction }) => direction === 'in')
      .flatMap((rule) =>
        rule.forwardTo === undefined
          ? matchesOf(rule).map((match) => `${match} ${VERDICTS[rule.verdict]}`)
          : passLines(rule, rule.forwardTo, here),
      ),
    ...byDefault(network),
    policy === undefined || policy.in === 'accept' ? 'reject' : VERDICTS[policy.in],
  ];
}

/** What enters though no rule names it: all that is for guests with addresses of their own, unless the network says otherwise. */
function byDefault(network: BridgedNetwork): string[] {
  const { mode, policy, nat } = network.routing;
  if (policy !== undefined && policy.in !== 'accept') return [];
  const isHidden = { ip: mode === 'nat', ip6: mode === 'nat' && nat?.ipv6 === true };
  return FAMILIES.flatMap((family) => {
    const nets = netsOf(network, family);
    if (nets.length === 0 || (isHidden[family] && policy === undefined)) return [];
    return oneEach(`${family} daddr`, nets, 'return');
  });
}

/** A rule for each subnet: a set of intervals matches nothing for a moment after the table was replaced. */
function oneEach(match: string, subnets: readonly string[], verdict: string): string[] {
  return subnets.map((subnet) => `${match} ${nftElements([subnet])} ${verdict}`);
}

/** Guests who call another guest at a port of this node get the answers from this node: from the guest they would not know them. */
function hairpinLines({ network }: RoutedHere): string[] {
  const bridge = nftName(network.bridge.name);
  return FAMILIES.flatMap((family) => {
    const nets = netsOf(network, family, false);
    return oneEach(`oifname ${bridge} ct status dnat ${family} saddr`, nets, 'masquerade');
  });
}

/** Guests behind addresses of this node. A guest keeps one address of a row (`persistent`). */
function sourceChains({ network }: RoutedHere): ChainShare[] {
  const { mode, via, nat = {} } = network.routing;
  if (mode !== 'nat') return [];
  const bridge = nftName(network.bridge.name);
  const ports = nat.ports === undefined ? undefined : `:${nat.ports.first}-${nat.ports.last}`;
  const row = nat.addresses === undefined ? undefined : addressRow(nat.addresses.first, nat.addresses.last);
  return FAMILIES.flatMap((family) => {
    const nets = netsOf(network, family).filter((cidr) => !cidr.endsWith('/0'));
    if (nets.length === 0 || (family === 'ip6' && nat.ipv6 !== true)) return [];
    const out = via.length === 0 ? `oifname != ${bridge}` : `oifname { ${names(via)} }`;
    const hide = `hide-${network.number}-${family}`;
    const to = (portRange: string) => {
      if (family === 'ip' && row !== undefined) return `snat ip to ${row}${portRange} persistent`;
      return portRange === '' ? 'masquerade' : `masquerade to ${portRange}`;
    };
    return [
      chain(hide, [
        ...oneEach(`${family} daddr`, [...nets, ...GROUPS[family]], 'return'),
        ...(ports === undefined ? [] : [`meta l4proto { tcp, udp } ${to(ports)}`]),
        to(''),
      ]),
      chain(INET_PLACE.sources, oneEach(`${out} ${family} saddr`, nets, `jump ${hide}`)),
    ];
  });
}

function addressRow(first: Ip, last: Ip): string {
  return first === last ? nftElements([first]) : `${nftElements([first])}-${nftElements([last])}`;
}

function names(devices: readonly string[]): string {
  return devices.map(nftName).join(', ');
}
