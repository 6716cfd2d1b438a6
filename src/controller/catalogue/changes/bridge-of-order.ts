/**
 * The bridge of an order that leaves its name or its address to host0. libvirt names bridges by templates, `virbr%d`, of which a
 * definition takes the first number that is free, and gives each bridge an address of its own at the definition.
 */

import { MeshError } from '../../../model/error.ts';
import { genid } from '../../../model/genid.ts';
import type { Network } from '../../../model/network/network.ts';
import { networkTypeRow } from '../../../model/network/types/network-type.ts';
import type { NetworkOrder } from '../../../protocol/documents/catalogue.ts';

/** What is known when a bridge gets its name. */
export interface BridgeNames {
  /** Whether a network or the machine has a device of this name. */
  readonly isTaken: (device: string) => boolean;
  /** The network that the order defines anew: its bridge keeps its name and its address. */
  readonly before?: Network | undefined;
  readonly source: Network['source'];
  /** Of the network: the address follows from it, so that a definition on two machines gives the same. */
  readonly uuid?: string | undefined;
}

/** libvirt's own template. */
const TEMPLATE = 'virbr%d';
/** libvirt tries numbers up to this one. */
const NUMBER_MAX = 256;
/** The first bytes of addresses that libvirt gives. */
const MAC_START = '52:54:00';
const MAC_DIGITS = 6;

/** The order with the whole bridge. @throws MESH_NET_DEVICE_TWICE when no number of the template is free */
export function withBridge(order: NetworkOrder, { isTaken, before, source, uuid }: BridgeNames): NetworkOrder {
  const kind = kindIn(order.type) ?? before?.type.kind ?? 'vxlan';
  if (networkTypeRow(kind)?.hasBridge !== true) return order;
  const wanted = isPart(order.bridge) ? order.bridge : {};
  const isLibvirt = source === 'libvirt';
  const name = wanted.name ?? (isLibvirt ? (before?.bridge?.name ?? TEMPLATE) : undefined);
  const mac = wanted.mac ?? (isLibvirt ? (before?.bridge?.mac ?? macFor(uuid)) : undefined);
  if (name === undefined && mac === undefined) return order;
  const known = before?.bridge?.name;
  const named = typeof name === 'string' && name.includes('%d') ? numbered(name, isTaken, known) : name;
  return {
    ...order,
    bridge: { ...wanted, ...(named !== undefined && { name: named }), ...(mac !== undefined && { mac }) },
  };
}

function numbered(template: string, isTaken: (device: string) => boolean, known: string | undefined): string {
  for (let number = 0; number <= NUMBER_MAX; number++) {
    const name = template.replace('%d', String(number));
    if (name === known || !isTaken(name)) return name;
  }
  throw new MeshError('MESH_NET_DEVICE_TWICE', `no device ${template} is free from 0 to ${NUMBER_MAX}`, {
    object: template,
    rule: 'The first number that no device has takes the place of %d.',
    remedy: 'Name the bridge, or choose another template',
  });
}

function macFor(uuid: string | undefined): string | undefined {
  if (uuid === undefined) return undefined;
  const digits = genid(['bridge', uuid], MAC_DIGITS);
  return [MAC_START, ...(digits.match(/../g) ?? [])].join(':');
}

function kindIn(type: unknown): string | undefined {
  const kind: unknown = isPart(type) ? type.kind : type;
  return typeof kind === 'string' ? kind : undefined;
}

function isPart(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
