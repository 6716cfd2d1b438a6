/**
 * The membership protocol between the members of a mesh and host0, inside the mesh, at `http://[prefix::1]:8000`:
 *
 * - `GET /`            the members, host0 first, a line each (`formatMemberList`); ETag `"epoch.revision"`; the header
 *                      `mesh-left: MAC …` names members that left in the last 30 s: a poller can tell «left» from «not heard of yet»
 * - `GET /?name=NAME[&machine=ID]`  the same, and a report: the asker becomes or stays a member
 * - `PUT /self`        an agent's report (`SelfReport`), answered by `SelfReportAnswer`
 * - `PUT /inventory`   the hardware of the asker's machine (inventory.ts)
 * - `GET /events`      SSE for members: `snapshot`, then `join | change | leave`; ids `epoch.revision`, resumed by Last-Event-ID;
 *                      the stream ends when its member leaves
 */

import { type Ipv4, type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../model/address/ipv6.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { type ErrorDocument, MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Member } from '../../model/network/member.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { SseMessage } from './sse.ts';

/** host0 drops a member that it has not heard from for this long. */
export const MEMBER_SILENCE_MS = 9_000;
/** The longest time between two reports of a node. */
export const REPORT_INTERVAL_MS = 3_000;
/**
 * The time between two reports of this machine: 2.75 to 3 s, each machine at its own pace. Members that began in one
 * moment (host0 came back) would otherwise report in one moment for ever, and a thousand reports at once take host0 a second.
 */
export function reportIntervalMs(machine: MachineId): number {
  return REPORT_INTERVAL_MS - Number.parseInt(machine.slice(0, 2), 16);
}
/** The longest time between two reports inside a mesh while the node's channel keeps the membership. */
const KEPT_REPORT_INTERVAL_MS = 60_000;
/** A node in many meshes reports more rarely in each: once a second in all of them together. */
const KEPT_REPORT_COST_MS = 1_000;
/**
 * The time between two reports inside a mesh while the node's channel keeps the membership. They show host0's kernel the node's
 * addresses, and the node that this mesh works. Each mesh of a node has its own pace, so that a node does not report in all at once.
 * @param meshes in how many meshes the node is
 */
export function keptReportIntervalMs(machine: MachineId, network: number, meshes: number): number {
  const pace = (Number.parseInt(machine.slice(0, 2), 16) + 37 * network) % 256;
  return Math.max(KEPT_REPORT_INTERVAL_MS, KEPT_REPORT_COST_MS * meshes) * (1 - pace / 1024);
}
/** The time between two comment lines of an idle stream: silence then means that the other end is gone. */
export const STREAM_COMMENT_MS = 3_000;
/** A stream without a byte for this long is dead. */
export const STREAM_SILENCE_MS = 9_000;
/** How long `mesh-left` names a member that left. Pollers ask at least every 9 s to stay members, so three polls see it. */
export const LEFT_MEMORY_MS = 30_000;

/** The longest host name in member lines. */
export const NODE_NAME_MAX_LENGTH = 63;
/** A host name in member lines: letters, digits, dots and hyphens, at most 63. */
export const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/;

/** The nearest name that can stand in a member list: `node_2` becomes `node-2`, `ü` becomes `u`. Undefined if nothing is left. */
export function nearestNodeName(name: string): string | undefined {
  const word = name
    .trim()
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/[_\s]/gu, '-')
    .replace(/[^A-Za-z0-9.-]/g, '')
    .replace(/^[.-]+/, '');
  return word.slice(0, NODE_NAME_MAX_LENGTH) || undefined;
}

/**
 * Checks the host name of this node, which came from `--name` or from the system.
 * @throws MESH_USAGE for a name that cannot stand in a member line
 */
export function checkNodeName(name: string): void {
  if (NODE_NAME.test(name)) return;
  throw new MeshError('MESH_USAGE', `${JSON.stringify(name)} cannot stand in a member list`, {
    rule: 'A host name has at most 63 letters, digits, dots and hyphens.',
    remedy: 'Give another with --name.',
  });
}

/**
 * The members of one mesh, host0 left out. The kernel's neighbour table ends at 1024 entries unless it was enlarged
 * (`gc_thresh3`).
 */
export const MEMBERS_MAX = 4_096;

/** Of these, places for machines that an administrator has named, or that have proven a token: strangers cannot take them. */
export const MEMBERS_RESERVED = 256;
/** Members that poll without a machine id, and have addresses that follow from none: host0 cannot tell these from guests. */
export const POLLERS_MAX = 256;

/** The longest body of `PUT /self`. */
export const REPORT_MAX_BYTES = 8 * 1024;

/**
 * One revision of host0's store, as far as one mesh's members go. The epoch is another one after host0's store was lost;
 * within an epoch, revisions only grow.
 */
export interface MembershipVersion {
  readonly epoch: string;
  readonly revision: number;
}

/** An event of `GET /events`. */
export type MembershipEvent =
  | {
      readonly type: 'snapshot';
      readonly version: MembershipVersion;
      /** All members, host0 first, the listener included. host0's IPv4 is the one that the listener can reach. */
      readonly members: readonly Member[];
      /** The underlay subnets that host0 forwards VXLAN between. */
      readonly segments: readonly Ipv4Cidr[];
    }
  | { readonly type: 'join' | 'change' | 'leave'; readonly version: MembershipVersion; readonly member: Member };

/** The body of `PUT /self`, JSON. The addresses in it are claims: host0 believes its own kernel. */
export interface SelfReport {
  readonly machine: MachineId;
  readonly name: string;
  /**
   * A random word for this boot of the machine, kept over restarts of the agent. It tells a machine that moved from a
   * second machine with the same identity.
   */
  readonly instance: string;
  /** The underlay address that the node believes it sends from. */
  readonly ipv4: Ipv4;
  /**
   * The nonce of the proof, from agents that know no channel; empty while the node has none. A later agent proves itself by its
   * channel, and sends none of the three fields.
   */
  readonly nonce?: string;
  /** That the node has its token (`proofOf`): 64 hex digits. */
  readonly proof?: string;
  /** The token itself, from agents that do not know proofs either. host0 takes it until the machine boots the next time. */
  readonly token?: string;
  /** True when the node gives up the mesh on purpose. */
  readonly leaving?: boolean;
  readonly state: NetworkState;
}

/**
 * The answer to `PUT /self`. `segments` are the underlay subnets that host0 forwards VXLAN between; `nonce` is for the proof in
 * the next report of a node that has sent one.
 */
export type SelfReportAnswer =
  | {
      readonly accepted: true;
      readonly version: MembershipVersion;
      readonly segments: readonly Ipv4Cidr[];
      readonly nonce?: string;
    }
  | { readonly accepted: false; readonly error: ErrorDocument; readonly nonce?: string };

/**
 * The form of a nonce, 32 hex digits. host0 gives a nonce in each answer to a report that has one, and refuses an old one with
 * MESH_MEMBER_UNPROVEN and a new one. A node that has no nonce yet sends an empty one.
 */
export const NONCE = /^[0-9a-f]{32}$/;

/** What a proof is about: what the report asks for, and the addresses that it comes from. */
export interface ProvenReport extends Pick<SelfReport, 'machine' | 'name' | 'instance' | 'leaving'> {
  readonly network: NetworkId;
  readonly ipv4: Ipv4;
  readonly mac: Mac;
  readonly ipv6: Ipv6;
}

/**
 * The proof that a node has the token which host0 gave its machine: HMAC-SHA-256 over the nonce and the report, 64 hex digits.
 * The token itself is never sent, and who reads a proof can use it for nothing else than this report. Node and host0 compute it from the addresses that each sees.
 * @param token 64 hex digits: the key
 */
export function proofOf(token: string, nonce: string, report: ProvenReport): string {
  const { network, machine, name, instance, ipv4, mac, ipv6, leaving } = report;
  const ask = leaving === true ? 'leave' : 'stay';
  const words = ['meshwork report', nonce, network, machine, name, instance, ipv4, mac, ipv6, ask];
  // Loaded here: every command knows this document, and none proves anything.
  const { createHmac } = process.getBuiltinModule('node:crypto');
  return createHmac('sha256', Buffer.from(token, 'hex')).update(words.join('\0')).digest('hex');
}

/** The state of a network on one node, as its agent reports it. */
export type NetworkState =
  | { readonly phase: 'ready' }
  | { readonly phase: 'pending'; readonly why: string }
  | { readonly phase: 'failed'; readonly error: ErrorDocument };

/** A line of the member list as the seed gives it: `hostname ipv4 mac ipv6`. */
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

/** The body of `GET /`: a line for each member, each with its line break. */
export function formatMemberList(members: readonly Member[]): string {
  return members.map((member) => `${formatMemberLine(member)}\n`).join('');
}

/** `epoch.revision`, as event ids and ETags carry it. */
export function formatVersion({ epoch, revision }: MembershipVersion): string {
  return `${epoch}.${revision}`;
}

/** The inverse of `formatVersion`, also for the quoted form in an ETag; undefined for any other text. */
export function parseVersion(text: string): MembershipVersion | undefined {
  const match = /^(?:W\/)?"?([0-9a-f]{1,32})\.([0-9]{1,15})"?$/.exec(text);
  return match?.[1] === undefined ? undefined : { epoch: match[1], revision: Number(match[2]) };
}

/** The key of a member within its mesh: its IPv6. */
export function memberKey(member: { readonly ipv6: Ipv6; readonly mac: Mac }): Ipv6 {
  return member.ipv6;
}

const messages = new WeakMap<MembershipEvent, SseMessage>();

/** An event as the stream carries it. Its JSON is made once and kept, however many members listen. */
export function membershipMessage(event: MembershipEvent): SseMessage {
  const known = messages.get(event);
  if (known !== undefined) return known;
  const message = { id: formatVersion(event.version), event: event.type, data: JSON.stringify(event) };
  messages.set(event, message);
  return message;
}
