/**
 * The parts of a network that documents can have, and that this version does not carry out: services of subnets, names, limits of
 * guests, and ways out of the network. A network with such a part can be kept, and is refused when it starts. A part that is
 * neither here nor carried out would be a lie: `supported-parts.test.ts` asks for each.
 */
import { MeshError } from '../error.ts';
import type { Network } from './network.ts';

/** A part that is not carried out. */
interface UnsupportedPart {
  /** Leads to the part, as in the document: `subnets.0.dhcp`. */
  readonly path: string;
  readonly remedy: string;
}

const SERVICES = ['dhcp', 'localPtr', 'tftp'] as const;
const LIMITS = ['binding', 'isolation', 'bandwidth', 'vlan', 'trunk', 'trust'] as const;
const LEAVE_OUT = 'Leave the part out';

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

function ofSubnets({ subnets, hostAddress, routes }: Network): UnsupportedPart[] {
  // Without host addresses, the subnets are those that services of the network announce and serve.
  const isUsed = hostAddress.kind !== 'derived';
  return [
    ...subnets.flatMap((subnet, index) => {
      const services = SERVICES.filter((service) => subnet[service] !== undefined && subnet[service] !== false);
      return services.map((service) => ({ path: `subnets.${index}.${service}`, remedy: LEAVE_OUT }));
    }),
    ...(subnets.length > 0 && !isUsed
      ? [
          {
            path: 'subnets',
            remedy:
              'Choose the hostAddress none, for services, or given or per-node: nodes then have addresses in the subnets',
          },
        ]
      : []),
    ...(routes.length > 0 ? [{ path: 'routes', remedy: LEAVE_OUT }] : []),
  ];
}

function ofRouting({ routing: { mode, via, policy, rules, nat64, nat }, dns }: Network): UnsupportedPart[] {
  return [
    ...(mode === 'isolated' ? [] : [{ path: 'routing.mode', remedy: 'Choose the mode isolated' }]),
    ...Object.entries({
      via: via.length > 0,
      policy: policy !== undefined,
      rules: rules.length > 0,
      nat64: nat64 !== undefined,
      nat: nat !== undefined,
    })
      .filter(([, isThere]) => isThere)
      .map(([part]) => ({ path: `routing.${part}`, remedy: LEAVE_OUT })),
    ...(dns === undefined ? [] : [{ path: 'dns', remedy: LEAVE_OUT }]),
  ];
}

function ofGuests({ guests }: Network): UnsupportedPart[] {
  if (guests === undefined) return [];
  const limits = LIMITS.filter((limit) => guests[limit] !== undefined && guests[limit] !== false);
  const parts = [...limits, ...(guests.portGroups.length > 0 ? ['portGroups'] : [])];
  return parts.map((part) => ({ path: `guests.${part}`, remedy: LEAVE_OUT }));
}

function ofBridge({ bridge, guestIpv6, bandwidth, dnsmasqOptions = [] }: Network): UnsupportedPart[] {
  return Object.entries({
    'bridge.zone': bridge?.zone !== undefined,
    guestIpv6: guestIpv6 === true,
    bandwidth: bandwidth !== undefined,
    dnsmasqOptions: dnsmasqOptions.length > 0,
  })
    .filter(([, isThere]) => isThere)
    .map(([path]) => ({ path, remedy: LEAVE_OUT }));
}

/** Addresses are on the bridge of the network: the bridge of another program gets none. */
function ofHostAddress({ bridge, hostAddress, type }: Network): UnsupportedPart[] {
  if (bridge !== undefined || hostAddress.kind === 'none' || type.kind !== 'foreign-bridge') return [];
  return [{ path: 'hostAddress', remedy: 'Choose the hostAddress none: the bridge is that of another program' }];
}
