/**
 * How a packet gets from one member of a network to another, hop by hop: what `mesh trace` shows, and what the agents
 * ask each other for it inside the mesh: `GET http://[member]:8001/path?from=POINT&to=POINT` → PathView. A POINT is
 * `member[,MAC[,IPv6]]`: a member by its address, and the guest behind it.
 */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../model/address/ipv6.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';

/** `POST /v1/trace` on the agent's socket. */
export interface TraceRequest {
  readonly network: string;
  /** A member's name, machine id or address, or the address (IPv6, Ethernet) of a guest. */
  readonly from: string;
  readonly to: string;
}

/** One end of a path as agents name it to each other. */
export interface PathPoint {
  /** The member's address in the network. */
  readonly member: Ipv6;
  readonly guest?: { readonly mac: Mac; readonly ipv6?: Ipv6 };
}

export interface PathQuery {
  readonly from: PathPoint;
  readonly to: PathPoint;
}

/** What a hop looks at. */
export const HOPS = [
  'agent',
  'member list',
  'bridge',
  'address',
  'neighbour',
  'bridge entry',
  'vxlan entry',
  'flood entry',
  'vxlan',
  'route',
  'underlay',
  'forwarding',
  'firewall',
  'port',
] as const;
export type HopSubject = (typeof HOPS)[number];

export interface TraceHop {
  /** Whose kernel. */
  readonly node: string;
  readonly subject: HopSubject;
  /** `unknown` where nobody could look. */
  readonly state: 'ok' | 'differs' | 'unknown';
  /** What the kernel holds, as a sentence without its subject: `leads to 10.11.0.2`. */
  readonly held: string;
  /** What it should hold; only where it differs. */
  readonly wanted?: string;
  readonly remedy?: string;
}

/** One end of a path: a member, or a guest behind one. */
export interface TraceEnd {
  /** The member's name. */
  readonly member: string;
  readonly memberIpv6: Ipv6;
  readonly guest: boolean;
  /** The guest's, or the member's. */
  readonly mac: Mac;
  /** Of a guest, only if it is known. */
  readonly ipv6?: Ipv6;
  /** Where the member's VXLAN packets come from and go to. */
  readonly ipv4: Ipv4;
}

export interface TraceView {
  readonly network: string;
  readonly from: TraceEnd;
  readonly to: TraceEnd;
  readonly forth: readonly TraceHop[];
  readonly back: readonly TraceHop[];
}

/** One agent's part of a path, in both directions, from one look at its kernel. */
export interface PathView {
  readonly node: string;
  readonly forth: PathPart;
  readonly back: PathPart;
}

/** A node's part in one direction. What is told beside the hops is compared with what the other end has. */
export interface PathPart {
  readonly hops: readonly TraceHop[];
  /** Where the sender's VXLAN device sends to, and by way of whom. */
  readonly sendsTo?: Ipv4;
  readonly sendsFrom?: Ipv4;
  readonly via?: Ipv4;
  /** The receiver's own underlay addresses. */
  readonly receivesAt?: readonly Ipv4[];
  /** From where the receiver expects the sender's packets. */
  readonly receivesFrom?: Ipv4;
}

/** Hops that a part of a path has at the most. */
export const HOPS_MAX = 16;

export function formatPathQuery({ from, to }: PathQuery): string {
  return `/path?${new URLSearchParams({ from: formatPoint(from), to: formatPoint(to) })}`;
}

function formatPoint({ member, guest }: PathPoint): string {
  return [member, guest?.mac, guest?.ipv6].filter((part) => part !== undefined).join();
}

/** @throws MESH_USAGE, MESH_ADDRESS_INVALID */
export function parsePathQuery(parameters: URLSearchParams): PathQuery {
  return { from: parsePoint(parameters.get('from')), to: parsePoint(parameters.get('to')) };
}

/** Two IPv6 addresses and an Ethernet address. */
const POINT_MAX_LENGTH = 39 + 1 + 17 + 1 + 39;

function parsePoint(text: string | null): PathPoint {
  const [member, mac, ipv6, more] = (text ?? '').split(',', 4);
  if (text === null || text.length > POINT_MAX_LENGTH || member === undefined || more !== undefined) {
    throw new MeshError('MESH_USAGE', 'a path goes from a member to a member', {
      rule: 'An end is member[,MAC[,IPv6]].',
    });
  }
  const guest = mac === undefined ? undefined : { mac: parseMac(mac), ...(ipv6 && { ipv6: parseIpv6(ipv6) }) };
  return { member: parseIpv6(member), ...(guest !== undefined && { guest }) };
}
