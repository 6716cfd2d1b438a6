/** Makes a whole network of an order: what the order does not name is as it was, or as Meshwork makes networks. Pure. */
import { ipv6FromBigint } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { plainBridge } from '../../model/network/bridge.ts';
import type { Network } from '../../model/network/network.ts';
import { hexNumber, type NetworkId, type NetworkNumber } from '../../model/network/number.ts';
import { VXLAN_PORT, vxlanOverheadBytes } from '../../model/network/types/vxlan.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { Misfit } from '../../protocol/shapes/form.ts';
import { NetworkShape } from '../../protocol/shapes/network-shape.ts';

/** The MTU of Ethernet, which nearly every underlay has. */
const ETHERNET_MTU_BYTES = 1500;

/** What host0 has decided: the number, and the name if the order has none. */
export interface Decided {
  readonly number: NetworkNumber;
  readonly name: string;
}

type Part = Readonly<Record<string, unknown>>;

/** Where an order does not fit. */
export class OrderMisfit extends MeshError {
  /** Leads to the part of the order. */
  readonly path: readonly string[];

  constructor(path: readonly string[], message: string, rule: string, remedy: string) {
    super('MESH_NET_INVALID', message, { object: path.join('.'), rule, remedy });
    this.path = path;
  }
}

/**
 * The network that an order asks for.
 * @param before the network that the order changes. Parts that are objects are changed part by part, all others as a whole.
 * @throws OrderMisfit
 */
export function orderedNetwork(order: NetworkOrder, { number, name }: Decided, before?: Network): Network {
  const { prefix: _, id: __, source: ___, ...named } = order;
  const carrier = carrierOf(named, number, before);
  const { peers: ____, ...present } = before ?? fresh(number);
  const whole = {
    ...merged(present, named),
    ...carrier,
    number,
    name,
    id: before?.id ?? `net-${hexNumber(number)}`,
    source: before?.source ?? 'store',
  };
  const network = read(whole, order);
  mustBeSound(network);
  return network;
}

/** A network of which nothing is known but its number. */
function fresh(number: NetworkNumber): Omit<Network, 'type' | 'name' | 'mtuBytes'> & { readonly peers?: never } {
  return {
    id: `net-${hexNumber(number)}` as NetworkId,
    number,
    labels: {},
    bridge: plainBridge(`br${hexNumber(number)}`),
    hostAddress: { kind: 'none' },
    subnets: [],
    routes: [],
    routing: { mode: 'isolated', via: [], rules: [] },
    span: { kind: 'on-demand' },
    source: 'store',
    extra: {},
  };
}

/** Type, peers and MTU, which depend on each other. */
function carrierOf(named: Part, number: NetworkNumber, before?: Network): Part {
  const type = kindOf(named.type);
  const kind = type.kind ?? before?.type.kind ?? 'vxlan';
  const isSameKind = before?.type.kind === kind;
  const wanted = kindOf(named.peers);
  if (kind !== 'vxlan') {
    const whole = { ...(isSameKind && before.type), ...type, kind };
    return {
      type: whole,
      ...(named.peers !== undefined && { peers: wanted }),
      mtuBytes: mtuOf(named, 0, before, isSameKind),
    };
  }
  const peers = peersOf(wanted, number, before);
  // Linux lets a socket join 20 IPv4 groups; IPv6 has no such limit.
  const underlay = peers.kind === 'multicast' ? 'ipv6' : 'ipv4';
  const made = { device: `vxlan${hexNumber(number)}`, vni: number, udpPort: VXLAN_PORT, underlay, learning: true };
  const whole = { ...made, ...(isSameKind && before.type), ...type, kind };
  const overheadBytes = vxlanOverheadBytes(whole.underlay === 'ipv6' ? 'ipv6' : 'ipv4');
  const isSame = isSameKind && before.type.kind === 'vxlan' && before.type.underlay === whole.underlay;
  return { type: whole, peers, mtuBytes: mtuOf(named, overheadBytes, before, isSame) };
}

function peersOf(wanted: Part, number: NetworkNumber, before?: Network): Part {
  const kind = wanted.kind ?? before?.peers?.kind ?? 'assigned';
  const known = before?.peers?.kind === kind ? before.peers : {};
  // The last 32 bits of the group are the number: ff05::ff01 for 0xff01.
  const group = kind === 'multicast' && { group: ipv6FromBigint((0xff05n << 112n) + BigInt(number)) };
  return { ...group, ...known, ...wanted, kind };
}

function mtuOf({ mtuBytes }: Part, overheadBytes: number, before: Network | undefined, isSame: boolean): unknown {
  return mtuBytes ?? (before !== undefined && isSame ? before.mtuBytes : ETHERNET_MTU_BYTES - overheadBytes);
}

/** `"bridge"` is short for `{"kind": "bridge"}`. */
function kindOf(part: unknown): Part {
  return typeof part === 'string' ? { kind: part } : isPart(part) ? part : {};
}

function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Objects are merged key by key, except those that are told apart by their kind. */
function merged(before: Part, order: Part): Part {
  const whole: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(order)) {
    const known = before[key];
    const wanted = key === 'hostAddress' || key === 'span' ? kindOf(value) : value;
    const isAnother = isPart(wanted) && isPart(known) && wanted.kind !== undefined && wanted.kind !== known.kind;
    whole[key] = isPart(wanted) && isPart(known) && !isAnother ? merged(known, wanted) : wanted;
  }
  return whole;
}

function read(whole: Part, order: NetworkOrder): Network {
  try {
    const network = NetworkShape.read(whole);
    const unread = unreadPath(order, network);
    if (unread === undefined) return network;
    throw new OrderMisfit(
      unread,
      `a network has no part ${unread.join('.')}`,
      'Each part of the document is a part of the network.',
      'Look at the parts of another network: `mesh network show NAME --json`',
    );
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    const path = error.path.map(String);
    const message = `${path.join('.') || 'the network'} cannot be ${textAt(whole, path)}`;
    const rule = RULES[path.join('.')] ?? RULES[path[0] ?? ''] ?? 'A network has the form that docs/networks.md shows.';
    throw new OrderMisfit(
      path,
      message,
      rule,
      'Look at the same part of another network: `mesh network show NAME --json`',
    );
  }
}

/** What the most common parts must be. */
const RULES: Readonly<Record<string, string>> = {
  name: 'A name is one word of at most 63 letters, digits, dots, hyphens and underscores, and begins with a letter or digit.',
  mtuBytes: 'An MTU is a number of bytes between 1280 and 65535.',
  type: 'A type is {"kind": "vxlan"} or {"kind": "bridge"}, with the parts of that type.',
  'type.vni': 'A VNI is a number between 1 and 16777215.',
  'type.dev': 'A device has a name of at most 15 characters.',
  'type.device': 'A device has a name of at most 15 characters.',
  'bridge.name': 'A device has a name of at most 15 characters.',
  peers: 'Peers are {"kind": "assigned"}, or {"kind": "multicast"} with a group.',
  hostAddress: 'A prefix is an IPv6 /64 in its shortest form.',
};

function textAt(whole: Part, path: readonly string[]): string {
  const value = path.reduce<unknown>(
    (at, key) => (isPart(at) || Array.isArray(at) ? Reflect.get(at, key) : undefined),
    whole,
  );
  return value === undefined ? 'absent' : JSON.stringify(value);
}

/** The first part of an order that is not in the network. */
function unreadPath(order: NetworkOrder, network: Network): readonly string[] | undefined {
  const { prefix: _, devices: __, fabric: ___, ...named } = order;
  return missingIn(named, network);
}

function missingIn(order: object, network: object): readonly string[] | undefined {
  for (const [key, value] of Object.entries(order)) {
    if (!Object.hasOwn(network, key)) return [key];
    const made: unknown = Reflect.get(network, key);
    const isDeep = typeof value === 'object' && value !== null && typeof made === 'object' && made !== null;
    const missing = isDeep ? missingIn(value, made) : undefined;
    if (missing !== undefined) return [key, ...missing];
  }
  return undefined;
}

/** @throws OrderMisfit for parts that do not fit each other */
function mustBeSound({ type, peers }: Network): void {
  if (type.kind !== 'vxlan' && peers !== undefined) {
    throw new OrderMisfit(
      ['peers'],
      `a network of the type ${type.kind} has no peers`,
      'Only the nodes of a VXLAN must know each other.',
      'Leave the peers out, or choose the type vxlan',
    );
  }
  if (type.kind === 'vxlan' && peers?.kind === 'multicast' && type.dev === undefined) {
    throw new OrderMisfit(
      ['peers'],
      'a network with peers by multicast names no device of the underlay',
      'The kernel joins a multicast group on one device.',
      'Name the device: `--device eth1`, or "type": {"kind": "vxlan", "dev": "eth1"} in a document',
    );
  }
  if (peers?.kind === 'membership') {
    throw new OrderMisfit(
      ['peers'],
      'peers by membership are those of a mesh',
      'A mesh is defined by its file on host0 and on its nodes.',
      'Write a file (`mesh network conf NAME`), or choose other peers: `--peers assigned`',
    );
  }
}
