/**
 * What a mesh's members and host0 say to each other inside the mesh, at `http://[prefix::1]:8000`:
 *
 * - `GET /`            the members, host0 first, a line each (`formatMemberList`); ETag `"epoch.revision"`;
 *                      header `mesh-left: MAC …` names who left in the last 30 s, so that a poller can tell «left» from «not heard of yet»
 * - `GET /?name=NAME[&machine=ID]`  the same, and a report: the asker is (or stays) a member
 * - `PUT /self`        an agent's report (`SelfReport`), answered by `SelfReportAnswer`
 * - `PUT /inventory`   what the asker's machine is made of (inventory.ts)
 * - `GET /events`      SSE: `snapshot`, then `join | change | leave`; ids `epoch.revision`, resumed by Last-Event-ID
 */

import { type Ipv4, type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../model/address/ipv6.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { type ErrorDocument, MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Member } from '../../model/network/member.ts';
import type { SseMessage } from './sse.ts';

/** A member that host0 has not heard from for so long is dropped. */
export const MEMBER_SILENCE_MS = 9_000;
/** How often a node reports, at least. */
export const REPORT_INTERVAL_MS = 3_000;
/**
 * How often this machine does: a little more often than it must, at a pace of its own. Members that began in one moment
 * (host0 came back) would otherwise speak in one moment for ever, and a thousand reports at once take host0 a second.
 */
export function reportIntervalMs(machine: MachineId): number {
  return REPORT_INTERVAL_MS - Number.parseInt(machine.slice(0, 2), 16);
}
/** A comment line goes down every stream so often, so that silence means something. */
export const STREAM_COMMENT_MS = 3_000;
/** A stream so long without a byte is dead. */
export const STREAM_SILENCE_MS = 9_000;
/** How long a leaver is named in `mesh-left`: three polls, and some. */
export const LEFT_MEMORY_MS = 30_000;

/** A host name in member lines: letters, digits, dots and hyphens, at most 63. */
export const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/;

/** @throws MESH_USAGE for a host name that cannot stand in a member line; it came from `--name`, or from the system */
export function checkNodeName(name: string): void {
  if (NODE_NAME.test(name)) return;
  throw new MeshError('MESH_USAGE', `${JSON.stringify(name)} cannot stand in a member list`, {
    rule: 'A host name has at most 63 letters, digits, dots and hyphens.',
    remedy: 'Give another with --name.',
  });
}

/** The longest body of `PUT /self`. */
export const REPORT_MAX_BYTES = 8 * 1024;

/** One revision of one mesh's membership as host0 knows it. Epochs differ when host0's store was lost; revisions only grow within one. */
export interface MembershipVersion {
  readonly epoch: string;
  readonly revision: number;
}

export type MembershipEvent =
  | {
      readonly type: 'snapshot';
      readonly version: MembershipVersion;
      /** host0 first, its IPv4 as the listener sees it. The listener itself is among them. */
      readonly members: readonly Member[];
      /** The underlay subnets that host0 forwards VXLAN between. */
      readonly segments: readonly Ipv4Cidr[];
    }
  | { readonly type: 'join' | 'change' | 'leave'; readonly version: MembershipVersion; readonly member: Member };

/** `PUT /self`, JSON. Addresses are claims: host0 believes its own kernel. */
export interface SelfReport {
  readonly machine: MachineId;
  readonly name: string;
  /** Made anew at each boot of the machine, kept over restarts of the agent: tells a moved machine from a doubled one. */
  readonly instance: string;
  /** The underlay address that the node believes it sends from. */
  readonly ipv4: Ipv4;
  /** What host0 gave its machine when it booted: 64 hex digits. */
  readonly token?: string;
  /** True when the node gives up the mesh on purpose. */
  readonly leaving?: boolean;
  readonly state: NetworkState;
}

export type SelfReportAnswer =
  | { readonly accepted: true; readonly version: MembershipVersion; readonly segments: readonly Ipv4Cidr[] }
  | { readonly accepted: false; readonly error: ErrorDocument };

/** How a network fares on a node. */
export type NetworkState =
  | { readonly phase: 'ready' }
  | { readonly phase: 'pending'; readonly why: string }
  | { readonly phase: 'failed'; readonly error: ErrorDocument };

/** The seed's line: `hostname ipv4 mac ipv6`. */
export function formatMemberLine(member: Member): string {
  return `${member.name} ${member.ipv4} ${member.mac} ${member.ipv6}`;
}

/**
 * The inverse of `formatMemberLine`.
 * @throws MESH_ADDRESS_INVALID, MESH_MEMBER_REPORT_INVALID
 */
export function parseMemberLine(line: string): Member {
  const [name = '', ipv4 = '', mac = '', ipv6 = '', ...more] = line.split(' ');
  if (!NODE_NAME.test(name) || more.length > 0) {
    throw new MeshError('MESH_MEMBER_REPORT_INVALID', `${JSON.stringify(line)} is not a line of a member list`, {
      rule: 'A line is `hostname ipv4 mac ipv6`.',
    });
  }
  return { name, ipv4: parseIpv4(ipv4), mac: parseMac(mac), ipv6: parseIpv6(ipv6) };
}

export function formatMemberList(members: readonly Member[]): string {
  return members.map((member) => `${formatMemberLine(member)}\n`).join('');
}

export function formatVersion({ epoch, revision }: MembershipVersion): string {
  return `${epoch}.${revision}`;
}

/** The inverse of `formatVersion`, also of the quoted form in an ETag; undefined if it is not one. */
export function parseVersion(text: string): MembershipVersion | undefined {
  const match = /^(?:W\/)?"?([0-9a-f]{1,32})\.([0-9]{1,15})"?$/.exec(text);
  return match?.[1] === undefined ? undefined : { epoch: match[1], revision: Number(match[2]) };
}

/** What identifies a member within its mesh. */
export function memberKey(member: { readonly ipv6: Ipv6; readonly mac: Mac }): Ipv6 {
  return member.ipv6;
}

const messages = new WeakMap<MembershipEvent, SseMessage>();

/** An event as the stream carries it: put into words once, however many listen. */
export function membershipMessage(event: MembershipEvent): SseMessage {
  const known = messages.get(event);
  if (known !== undefined) return known;
  const message = { id: formatVersion(event.version), event: event.type, data: JSON.stringify(event) };
  messages.set(event, message);
  return message;
}
