/**
 * The path of a packet from one member of a network to another, hop by hop, as `mesh trace` shows it. For its part of the
 * path, an agent is asked inside the mesh: `GET http://[member]:8001/path?from=POINT&to=POINT` → PathView. A POINT is
 * `member[,MAC[,IPv6]]`: a member by its address, and the guest behind this member.
 */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../model/address/ipv6.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';

/** The body of `POST /v1/trace` on the agent's socket. */
export interface TraceRequest {
  readonly network: string;
  /** A member's name, machine id or address, or the address (IPv6, Ethernet) of a guest. */
  readonly from: string;
  readonly to: string;
}

/** One end of a path, as agents name it to each other: the POINT of the query. */
export interface PathPoint {
  /** The member's address in the network. */
  readonly member: Ipv6;
  readonly guest?: { readonly mac: Mac; readonly ipv6?: Ipv6 };
}

/** The two ends of a path that an agent is asked about. */
export interface PathQuery {
  readonly from: PathPoint;
  readonly to: PathPoint;
}

/** The subjects of hops: what the agent looks at in its kernel. */
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
/** The subject of one hop; the member list and the agent itself are subjects, too. */
export type HopSubject = (typeof HOPS)[number];

/** One look at one node's kernel along the path. */
export interface TraceHop {
  /** The node whose kernel this is. */
  readonly node: string;
  readonly subject: HopSubject;
  /** `unknown` where the node could not be asked or its kernel not be read. */
  readonly state: 'ok' | 'differs' | 'unknown';
  /** What the kernel holds, as a sentence without its subject: `leads to 10.11.0.2`. */
  readonly held: string;
  /** What the kernel should hold; only where it holds something else. */
  readonly wanted?: string;
  readonly remedy?: string;
}

/** One end of a path: a member, or a guest behind one. */
export interface TraceEnd {
  /** The member's name. */
  readonly member: string;
  readonly memberIpv6: Ipv6;
  readonly guest: boolean;
  /** The guest's address, or the member's. */
  readonly mac: Mac;
  /** The guest's address, if it is known, or the member's. */
  readonly ipv6?: Ipv6;
  /** The member's underlay address: its VXLAN packets come from there and go there. */
  readonly ipv4: Ipv4;
}

/** The answer to `POST /v1/trace`: all hops in both directions. */
export interface TraceView {
  readonly network: string;
  readonly from: TraceEnd;
  readonly to: TraceEnd;
  readonly forth: readonly TraceHop[];
  readonly back: readonly TraceHop[];
}

/** The answer to `GET /path`: one agent's part of a path in both directions, from one look at its kernel. */
export interface PathView {
  readonly node: string;
  readonly forth: PathPart;
  readonly back: PathPart;
}

/** A node's part of a path in one direction. The addresses beside the hops are compared with those of the other end. */
export interface PathPart {
  readonly hops: readonly TraceHop[];
  /** The remote VTEP that the sender's VXLAN device sends to. */
  readonly sendsTo?: Ipv4;
  readonly sendsFrom?: Ipv4;
  /** The router on the way there. */
  readonly via?: Ipv4;
  /** The receiver's own underlay addresses. */
  readonly receivesAt?: readonly Ipv4[];
  /** The underlay address that the receiver expects the sender's packets from. */
  readonly receivesFrom?: Ipv4;
}

/** The same as a node sends it: whose hops they are, the asker knows. */
export interface SentPath {
  readonly forth: SentPathPart;
  readonly back: SentPathPart;
}

/** One direction of it. */
export interface SentPathPart extends Omit<PathPart, 'hops'> {
  readonly hops: readonly Omit<TraceHop, 'node'>[];
}

/** The most hops in one part of a path; an answer with more is refused. */
export const HOPS_MAX = 16;

/** The ends of a path as the parameters of a query. */
export interface PathEnds {
  readonly from: string;
  readonly to: string;
}

/** The parameters of the request for a PathView. */
export function pathEnds({ from, to }: PathQuery): PathEnds {
  return { from: formatPoint(from), to: formatPoint(to) };
}

function formatPoint({ member, guest }: PathPoint): string {
  return [member, guest?.mac, guest?.ipv6].filter((part) => part !== undefined).join();
}

/**
 * The inverse of `pathEnds`.
 * @throws MESH_USAGE, MESH_ADDRESS_INVALID
 */
export function parsePathEnds({ from, to }: PathEnds): PathQuery {
  return { from: parsePoint(from), to: parsePoint(to) };
}

/** The longest end of a path: two IPv6 addresses and an Ethernet address, with commas between them. */
export const POINT_MAX_LENGTH = 39 + 1 + 17 + 1 + 39;

function parsePoint(text: string): PathPoint {
  const [member, mac, ipv6, more] = text.split(',', 4);
  if (text.length > POINT_MAX_LENGTH || member === undefined || more !== undefined) {
    throw new MeshError('MESH_USAGE', 'a path goes from a member to a member', {
      rule: 'An end is member[,MAC[,IPv6]].',
    });
  }
  const guest = mac === undefined ? undefined : { mac: parseMac(mac), ...(ipv6 && { ipv6: parseIpv6(ipv6) }) };
  return { member: parseIpv6(member), ...(guest !== undefined && { guest }) };
}
