/** Makes a whole network of an order: what the order does not name is as it was, or as Meshwork makes networks. Pure. */
import { MeshError } from '../../model/error.ts';
import { Misfit, type Words } from '../../model/form.ts';
import { plainBridge } from '../../model/network/bridge.ts';
import type { Network } from '../../model/network/network.ts';
import { NetworkShape } from '../../model/network/network-shape.ts';
import { hexNumber, type NetworkNumber, networkIdOf } from '../../model/network/number.ts';
import { peersRow } from '../../model/network/peers/peers.ts';
import { NetworkTypeShape, networkTypeRow } from '../../model/network/types/network-type.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';

/** What host0 has decided. */
export interface Decided {
  readonly number: NetworkNumber;
  readonly name: string;
  /** Where the network is defined. Absent: where it was; a new one in the store. */
  readonly source?: Network['source'];
}

/** A message shows no more of a value. */
const SHOWN_MAX = 100;

type Part = Readonly<Record<string, unknown>>;

/** MESH_NET_INVALID: where an order does not fit. */
export class OrderMisfit extends MeshError {
  /** Leads to the part of the order. */
  readonly path: readonly string[];
  readonly words: Words;

  constructor(path: readonly string[], message: string, words: Words) {
    super('MESH_NET_INVALID', message, { object: path.join('.'), ...words });
    this.path = path;
    this.words = words;
  }
}

/** What is no part of a network: host0 makes a host address of `prefix`, and subnets of `addressPools`; only earlier versions read the other fields of a mesh. */
const NO_PARTS: readonly string[] = ['prefix', 'addressPools', 'devices', 'fabric'];

/**
 * The network that an order asks for.
 * @param before the network that the order changes. Parts that are objects are changed part by part, all others as a whole.
 * @throws OrderMisfit
 */
export function orderedNetwork(order: NetworkOrder, { number, name, source }: Decided, before?: Network): Network {
  const named = Object.fromEntries(Object.entries(order).filter(([key]) => !NO_PARTS.includes(key)));
  const whole = {
    ...merged(withBridgeOf(named, number, before), named),
    ...carrierOf(named, number, before),
    number,
    name,
    id: before?.id ?? networkIdOf(number),
    source: source ?? before?.source ?? 'store',
  };
  const network = fitting(() => NetworkShape.read(whole, true), whole);
  if (network.peers?.kind !== 'membership' || before?.peers?.kind === 'membership') return network;
  throw new OrderMisfit(['peers'], 'peers by membership are those of a mesh', {
    rule: 'A mesh is defined by its file on host0 and on its nodes.',
    remedy: 'Write a file (`mesh network conf NAME`), or choose other peers: `--peers assigned`',
  });
}

/** A network of which nothing is known but its number. */
function fresh(number: NetworkNumber): Part & Pick<Network, 'bridge'> {
  return {
    bridge: plainBridge(`br${hexNumber(number)}`),
    hostAddress: { kind: 'none' },
    routing: { mode: 'isolated', via: [], rules: [] },
    span: { kind: 'on-demand' },
  };
}

/** What the order changes, with a bridge of its own where the wanted type has one. */
function withBridgeOf(named: Part, number: NetworkNumber, before?: Network): Part {
  const { bridge = plainBridge(`br${hexNumber(number)}`), ...others } = before ?? fresh(number);
  const row = networkTypeRow(kindOf(named.type).kind ?? before?.type.kind ?? 'vxlan');
  return row?.hasBridge === false ? others : { ...others, bridge };
}

/** Type, peers, bridge and MTU, which depend on each other. */
function carrierOf(named: Part, number: NetworkNumber, before?: Network): Part {
  const type = kindOf(named.type);
  const kind = type.kind ?? before?.type.kind ?? 'vxlan';
  const row = networkTypeRow(kind);
  const known = before?.type.kind === kind ? before.type : undefined;
  if (row === undefined) return { type: { ...type, kind } };
  const peers = row.hasPeers ? peersOf(kindOf(named.peers), number, before) : named.peers && kindOf(named.peers);
  const underlay = peersRow(kindOf(peers).kind)?.underlay;
  const whole = { ...row.defaults(number), ...(row.hasPeers && { underlay }), ...known, ...type, kind };
  const carrier = { type: whole, peers };
  const made = fitting(() => NetworkTypeShape.read(whole, true), { type: whole }, ['type']);
  const isSame = known !== undefined && row.mtuBytes(known) === row.mtuBytes(made);
  return withoutAbsent({ ...carrier, mtuBytes: named.mtuBytes ?? (isSame ? before?.mtuBytes : row.mtuBytes(made)) });
}

function peersOf(wanted: Part, number: NetworkNumber, before?: Network): Part {
  const kind = wanted.kind ?? before?.peers?.kind ?? 'assigned';
  const known = before?.peers?.kind === kind ? before.peers : {};
  return { ...peersRow(kind)?.defaults(number), ...known, ...wanted, kind };
}

/** `"bridge"` is short for `{"kind": "bridge"}`. */
function kindOf(part: unknown): Part {
  return typeof part === 'string' ? { kind: part } : isPart(part) ? part : {};
}

function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutAbsent(whole: Part): Part {
  return Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined));
}

/** Objects are merged key by key, except with those of another kind. Peers, type and MTU are left out: `carrierOf` has them. */
function merged(before: object, order: Part): Part {
  const whole: Record<string, unknown> = { ...before };
  delete whole.peers;
  for (const [key, value] of Object.entries(order)) {
    const known: unknown = Reflect.get(before, key);
    const wanted = key === 'hostAddress' || key === 'span' ? kindOf(value) : value;
    const isAnother = isPart(wanted) && isPart(known) && wanted.kind !== undefined && wanted.kind !== known.kind;
    whole[key] = isPart(wanted) && isPart(known) && !isAnother ? merged(known, wanted) : wanted;
  }
  return whole;
}

/** Reads a document by its form. @throws OrderMisfit */
function fitting<T>(read: () => T, whole: Part, above: readonly string[] = []): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    const path = [...above, ...error.path.map(String)];
    throw new OrderMisfit(path, `${path.join('.')}: ${textAt(whole, path)} does not fit`, {
      rule: 'A network has the parts that docs/networks.md shows.',
      ...error.words,
    });
  }
}

function textAt(whole: Part, path: readonly string[]): string {
  const at = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  const value = path.reduce<unknown>(at, whole);
  const text = value === undefined ? 'what is missing' : JSON.stringify(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
