/**
 * What two networks cannot both have, whatever format they come from: a number, a name, a prefix, a device, a VNI on one UDP
 * port. The older network stays as it is, and the newcomer is refused.
 */
import { type ErrorCode, MeshError } from '../error.ts';
import type { Network } from './network.ts';
import { hexNumber } from './number.ts';
import { NETWORK_TYPES } from './types/network-type.ts';

/** Something that one network alone can have. */
export interface NetworkClaim {
  readonly part: keyof typeof PARTS;
  /** Two claims of one part with the same text collide. */
  readonly text: string;
}

const PARTS = {
  number: {
    code: 'MESH_NET_NUMBER_TWICE',
    rule: 'Each network has a number of its own: it is the key of the network.',
    remedy: 'another number',
  },
  name: { code: 'MESH_NET_NAME_TWICE', rule: 'Each network has a name of its own.', remedy: 'another name' },
  prefix: {
    code: 'MESH_NET_PREFIX_TWICE',
    rule: 'Each network has a prefix of its own: a node has one route for it.',
    remedy: 'another prefix',
  },
  device: {
    code: 'MESH_NET_DEVICE_TWICE',
    rule: 'Each network has devices of its own. Those of a mesh carry its number in decimal, those of other networks in hex.',
    remedy: 'another number, or other names of devices',
  },
  vni: {
    code: 'MESH_NET_VNI_TWICE',
    rule: 'Each network has a VNI of its own on its UDP port: the kernel tells networks apart by it.',
    remedy: 'another VNI or UDP port',
  },
} as const satisfies Readonly<
  Record<string, { readonly code: ErrorCode; readonly rule: string; readonly remedy: string }>
>;

/** A network that cannot be beside an older one. */
export interface NetworkConflict<N extends Network = Network> {
  readonly newcomer: N;
  readonly older: N;
  /** What both claim. */
  readonly claim: NetworkClaim;
}

/** All that a network claims, the most telling first. */
export function claimsOf({ number, name, bridge, type, hostAddress }: Network): readonly NetworkClaim[] {
  return [
    { part: 'number', text: String(number) },
    { part: 'name', text: name },
    ...(hostAddress.kind === 'derived' ? [{ part: 'prefix', text: hostAddress.prefix } as const] : []),
    ...(bridge === undefined ? [] : [{ part: 'device', text: bridge.name } as const]),
    ...NETWORK_TYPES[type.kind].claims(type),
  ];
}

/** The names of the devices that a network has on its nodes. */
export function claimedDevices(network: Network): readonly string[] {
  return claimsOf(network).flatMap(({ part, text }) => (part === 'device' ? [text] : []));
}

/** The claims of networks that are side by side. */
export class ClaimBook<N extends Network> {
  readonly #owners = new Map<string, N>();
  /** How many networks have a VNI, whatever their UDP port. */
  readonly #vnis = new Map<number, number>();

  constructor(networks: Iterable<N> = []) {
    for (const network of networks) this.add(network);
  }

  /** What keeps a newcomer from being beside the others, its own definition from before left aside. */
  conflictOf(newcomer: N): NetworkConflict<N> | undefined {
    for (const claim of claimsOf(newcomer)) {
      const older = this.#owners.get(keyOf(claim));
      if (older !== undefined && older.id !== newcomer.id) return { newcomer, older, claim };
    }
    return undefined;
  }

  /** The network that claims this; undefined if none does. */
  ownerOf(part: NetworkClaim['part'], text: string): N | undefined {
    return this.#owners.get(keyOf({ part, text }));
  }

  /** Whether a network has a VNI, on any UDP port. */
  hasVni(vni: number): boolean {
    return this.#vnis.has(vni);
  }

  add(network: N): void {
    for (const claim of claimsOf(network)) this.#owners.set(keyOf(claim), network);
    this.#count(network, 1);
  }

  remove(network: N): void {
    for (const claim of claimsOf(network)) this.#owners.delete(keyOf(claim));
    this.#count(network, -1);
  }

  #count({ type }: N, more: 1 | -1): void {
    if (type.kind !== 'vxlan') return;
    const vni = Number(type.vni);
    const count = (this.#vnis.get(vni) ?? 0) + more;
    if (count > 0) this.#vnis.set(vni, count);
    else this.#vnis.delete(vni);
  }
}

/**
 * The networks of `networks`, the oldest first, that can be side by side, and why the others cannot. A network that is
 * refused claims nothing.
 */
export function judgeNetworks<N extends Network>(
  networks: Iterable<N>,
): { readonly accepted: readonly N[]; readonly conflicts: readonly NetworkConflict<N>[] } {
  const book = new ClaimBook<N>();
  const accepted: N[] = [];
  const conflicts: NetworkConflict<N>[] = [];
  for (const newcomer of networks) {
    const conflict = book.conflictOf(newcomer);
    if (conflict !== undefined) {
      conflicts.push(conflict);
      continue;
    }
    accepted.push(newcomer);
    book.add(newcomer);
  }
  return { accepted, conflicts };
}

/** The error of a conflict. It names both networks. */
export function conflictError({ newcomer, older, claim: { part, text } }: NetworkConflict): MeshError {
  const { code, rule, remedy } = PARTS[part];
  return new MeshError(code, `${part} ${text} of ${described(newcomer)} is also that of ${described(older)}`, {
    object: newcomer.name,
    rule: `${rule} The older network stays.`,
    remedy: `Give ${newcomer.name} ${remedy}`,
  });
}

/** `br1234` can be that of 1234 or of 0x1234: the number stands as the device has it. */
function described({ id, name, number, source }: Network): string {
  return `${name} (number ${id.startsWith('net-') ? `0x${hexNumber(number)}` : number}, from ${source})`;
}

function keyOf({ part, text }: NetworkClaim): string {
  return `${part} ${text}`;
}
