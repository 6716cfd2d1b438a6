/**
 * The parts of a network that documents can have, and that this version does not carry out: services of subnets, names, limits of
 * guests, and ways out of the network. A network with such a part can be kept, and is refused when it starts. A part that is
 * neither here nor carried out would be a lie: `supported-parts.test.ts` asks for each.
 */
import { MeshError } from '../error.ts';
import type { NetworkGuests } from './guests.ts';
import type { Network } from './network.ts';
import { optionRemedy } from './services/dnsmasq-option.ts';

/** A part that is not carried out. */
interface UnsupportedPart {
  /** Leads to the part, as in the document: `subnets.0.dhcp`. */
  readonly path: string;
  readonly remedy: string;
}

const SERVICES = ['dhcp', 'localPtr', 'tftp'] as const;
const LIMITS = ['binding', 'bandwidth', 'vlan', 'trunk', 'trust'] as const;
const LEAVE_OUT = 'Leave the part out';
const AS_SERVICE = 'Leave the part out, and give the network a service: `mesh network service set`';

/** The parts of a network that this version does not carry out; none for one that can be started. */
export function unsupportedParts(network: Network): readonly UnsupportedPart[] {
  return [ofType, ofSubnets, ofRouting, ofGuests, ofBridge, ofHostAddress].flatMap((partsOf) => partsOf(network));
}

/** MESH_NET_NOT_SUPPORTED for a network that cannot be started; undefined for one that can. */
export function unsupportedError(network: Network): MeshError | undefined {
  const [first, ...others] = unsupportedParts(network);
  if (first === undefined) return undefined;
  const more = others.length === 0 ? '' : `, nor ${others.map(({ path }) => path).join(', ')}`;
  return new MeshError(
    'MESH_NET_NOT_SUPPORTED',
    `this version does not carry out ${first.path} of ${network.name}${more}`,
    {
      object: network.name,
      rule: 'Each part of a network that runs has an effect.',
      remedy: first.remedy,
    },
  );
}

/** PCI cards that guests have for themselves: no guest of ours is given one. */
function ofType({ type: { kind } }: Network): UnsupportedPart[] {
  return kind === 'hostdev' ? [{ path: 'type', remedy: 'Choose the type macvtap, bridge or foreign-bridge' }] : [];
}

function ofSubnets(network: Network): UnsupportedPart[] {
  const { subnets, hostAddress, routes, peers } = network;
  // Nodes that do not know each other cannot divide ranges.
  const isDivided = hostAddress.kind === 'per-node' && peers !== undefined && peers.kind !== 'assigned';
  // Without host addresses, the subnets are those that services of the network announce and serve.
  const isUsed = hostAddress.kind !== 'derived';
  return [
    ...(hasHostAddresses(network)
      ? []
      : subnets.flatMap((subnet, index) => {
          const services = SERVICES.filter((service) => subnet[service] !== undefined && subnet[service] !== false);
          return services.map((service) => ({ path: `subnets.${index}.${service}`, remedy: AS_SERVICE }));
        })),
    ...subnets.flatMap(({ dhcp }, index) =>
      isDivided && (dhcp?.ranges.length ?? 0) > 0
        ? [
            {
              path: `subnets.${index}.dhcp.ranges`,
              remedy: 'Choose peers of the kind assigned, or the hostAddress given',
            },
          ]
        : [],
    ),
    ...(subnets.length > 0 && !isUsed
      ? [
          {
            path: 'subnets',
            remedy:
              'Choose the hostAddress none, for services, or given or per-node: nodes then have addresses in the subnets',
          },
        ]
      : []),
    ...(routes.length > 0 && !hasHostAddresses(network) ? [{ path: 'routes', remedy: LEAVE_OUT }] : []),
  ];
}

/** Whether nodes have addresses of the network's subnets on its bridge: they serve and route the network there. */
function hasHostAddresses({ bridge, hostAddress: { kind } }: Network): boolean {
  return bridge !== undefined && (kind === 'given' || kind === 'per-node');
}

/** The modes in which rules say what passes. */
const RULED_MODES: readonly string[] = ['routed', 'nat'];

function ofRouting(network: Network): UnsupportedPart[] {
  const {
    bridge,
    routing: { mode, via, policy, rules, nat64, nat },
    dns,
  } = network;
  const isHosted = hasHostAddresses(network);
  const isMode = mode === 'isolated' || (mode === 'none' ? bridge === undefined : isHosted);
  const isRuled = isHosted && RULED_MODES.includes(mode);
  const remedy = isHosted ? 'Choose the mode routed or nat, or leave the part out' : LEAVE_OUT;
  return [
    ...(isMode ? [] : [{ path: 'routing.mode', remedy: 'Choose the mode isolated, or a hostAddress that is given' }]),
    ...Object.entries({
      via: via.length > 0 && !isRuled,
      policy: policy !== undefined && !isRuled,
      rules: rules.length > 0 && !isRuled,
      nat64: nat64 !== undefined,
      nat: nat !== undefined && !isRuled,
    })
      .filter(([, isThere]) => isThere)
      .map(([part]) => ({ path: `routing.${part}`, remedy: part === 'nat64' ? AS_SERVICE : remedy })),
    ...(isRuled ? ofRules(network) : []),
    ...(dns === undefined || isHosted ? [] : [{ path: 'dns', remedy: AS_SERVICE }]),
    ...(dns?.register === true && isHosted ? [{ path: 'dns.register', remedy: LEAVE_OUT }] : []),
  ];
}

/** A port of a node that leads to a guest: one port can have another number inside, and several keep theirs. */
function ofRules({ routing: { rules } }: Network): UnsupportedPart[] {
  return rules.flatMap(({ direction, verdict, match: { ports, protocol }, forwardTo }, index) => {
    if (forwardTo === undefined) return [];
    const path = `routing.rules.${index}.forwardTo`;
    if (direction !== 'in' || verdict !== 'accept')
      return [{ path, remedy: 'Accept what comes in by the rule, or leave forwardTo out' }];
    // Else the rule takes all that is for this node: its own shell, too.
    if (ports === undefined || protocol === 'icmp' || protocol === 'icmpv6')
      return [{ path, remedy: 'Name the ports outside, of TCP, of UDP or of both' }];
    if (forwardTo.port === undefined || ports.first === ports.last) return [];
    return [
      { path: `${path}.port`, remedy: 'Name one port outside, or leave the port inside out: it is then the same' },
    ];
  });
}

function ofGuests({ guests }: Network): UnsupportedPart[] {
  if (guests === undefined) return [];
  // Groups that a port names are for the hypervisor that makes the port. The group of all others is for us.
  const at = guests.portGroups.findIndex(({ isDefault }) => isDefault);
  const group = guests.portGroups[at];
  return [
    ...limitsOf(guests).map((part) => ({ path: `guests.${part}`, remedy: LEAVE_OUT })),
    ...(group === undefined ? [] : limitsOf(group)).map((part) => ({
      path: `guests.portGroups.${at}.${part}`,
      remedy: 'Leave the part out, or let no port be in the group unless it names the group',
    })),
  ];
}

/** The limits that this version does not carry out. */
function limitsOf(guests: Omit<NetworkGuests, 'portGroups'>): (typeof LIMITS)[number][] {
  return LIMITS.filter((limit) => guests[limit] !== undefined && guests[limit] !== false);
}

function ofBridge(network: Network): UnsupportedPart[] {
  const { bridge, bandwidth, dnsmasqOptions = [] } = network;
  const refused = dnsmasqOptions.flatMap((line, at) => {
    const remedy = optionRemedy(line);
    return remedy === undefined ? [] : [{ path: `dnsmasqOptions.${at}`, remedy }];
  });
  const parts = Object.entries({
    'bridge.zone': bridge?.zone !== undefined,
    bandwidth: bandwidth !== undefined && bridge === undefined,
    // What is above the average is dropped, and not held back: there is no second rate.
    'bandwidth.in.peakBytesPerSec': bandwidth?.in?.peakBytesPerSec !== undefined,
    'bandwidth.out.peakBytesPerSec': bandwidth?.out?.peakBytesPerSec !== undefined,
    dnsmasqOptions: dnsmasqOptions.length > 0 && !hasHostAddresses(network),
  }).filter(([, isThere]) => isThere);
  return [...parts.map(([path]) => ({ path, remedy: LEAVE_OUT })), ...refused];
}

/** Addresses are on the bridge of the network: the bridge of another program gets none. */
function ofHostAddress({ bridge, hostAddress, type }: Network): UnsupportedPart[] {
  if (bridge !== undefined || hostAddress.kind === 'none' || type.kind !== 'foreign-bridge') return [];
  return [{ path: 'hostAddress', remedy: 'Choose the hostAddress none: the bridge is that of another program' }];
}
