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
  },
  name: { code: 'MESH_NET_NAME_TWICE', rule: 'Each network has a name of its own.' },
  prefix: { code: 'MESH_NET_PREFIX_TWICE', rule: 'Each network has a prefix of its own: a node has one route for it.' },
  device: {
    code: 'MESH_NET_DEVICE_TWICE',
    rule: 'Each network has devices of its own. The devices of a mesh carry its number in decimal, those of other networks in hex.',
  },
  vni: {
    code: 'MESH_NET_VNI_TWICE',
    rule: 'Each network has a VNI of its own on its UDP port: the kernel tells networks apart by it.',
  },
} as const satisfies Readonly<Record<string, { readonly code: ErrorCode; readonly rule: string }>>;

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

/**
 * The networks of `networks`, the oldest first, that can be side by side, and why the others cannot. A network that is
 * refused claims nothing.
 */
export function judgeNetworks<N extends Network>(
  networks: Iterable<N>,
): { readonly accepted: readonly N[]; readonly conflicts: readonly NetworkConflict<N>[] } {
  const owners = new Map<string, N>();
  const accepted: N[] = [];
  const conflicts: NetworkConflict<N>[] = [];
  for (const newcomer of networks) {
    const claims = claimsOf(newcomer);
    const claim = claims.find((candidate) => owners.has(keyOf(candidate)));
    const older = claim && owners.get(keyOf(claim));
    if (claim !== undefined && older !== undefined) {
      conflicts.push({ newcomer, older, claim });
      continue;
    }
    accepted.push(newcomer);
    for (const each of claims) owners.set(keyOf(each), newcomer);
  }
  return { accepted, conflicts };
}

/** The first conflict of a newcomer with networks that are there; undefined when there is none. */
export function conflictWith(newcomer: Network, others: Iterable<Network>): NetworkConflict | undefined {
  const claims = new Map(claimsOf(newcomer).map((claim) => [keyOf(claim), claim]));
  for (const older of others) {
    const shared = older.id === newcomer.id ? undefined : claimsOf(older).find((claim) => claims.has(keyOf(claim)));
    if (shared !== undefined) return { newcomer, older, claim: shared };
  }
  return undefined;
}

/** The error of a conflict. It names both networks. */
export function conflictError({ newcomer, older, claim: { part, text } }: NetworkConflict): MeshError {
  const { code, rule } = PARTS[part];
  return new MeshError(
    code,
    `${part} ${text} of ${calledWithNumber(newcomer)} is also that of ${calledWithNumber(older)}`,
    {
      object: newcomer.name,
      rule: `${rule} The older network stays.`,
      remedy: `Give ${newcomer.name} another ${part === 'device' ? 'number, or other names of devices' : part}`,
    },
  );
}

/** `br1234` can be that of 1234 or of 0x1234: the number stands as the device has it. */
function calledWithNumber({ id, name, number }: Network): string {
  return `network ${name} (number ${id.startsWith('net-') ? `0x${hexNumber(number)}` : number})`;
}

function keyOf({ part, text }: NetworkClaim): string {
  return `${part} ${text}`;
}
