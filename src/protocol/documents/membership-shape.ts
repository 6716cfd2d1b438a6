/**
 * The form of what host0 sends into a mesh. A node reads each document by these shapes before its first use: whoever answers
 * at host0's address is believed only as far as the document has its form. Text of a member ends up in the kernel and in nft.
 *
 * `zod/mini` costs an agent 0.8 MB of memory, where `zod` costs 12 MB.
 */
import * as z from 'zod/mini';
import { type Ipv4, type Ipv4Cidr, ipv4Length, isIpv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import { type Ipv6, type Ipv6Cidr, ipv6InSubnet, parseIpv6 } from '../../model/address/ipv6.ts';
import { isUnicastMac, type Mac } from '../../model/address/mac.ts';
import { errorCodeOf, MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { MEMBERS_MAX, type MembershipEvent, NODE_NAME, parseVersion, type SelfReportAnswer } from './membership.ts';
import { NONCE } from './membership-proof.ts';

/** A cluster has a handful of underlay segments; a node gets a route for each. */
export const SEGMENTS_MAX = 64;
/** A segment larger than a /8 would take in other people's networks. */
const SEGMENT_LENGTH_MIN = 8;
/** Error texts are for people: what is longer is cut, not refused. */
const TEXT_MAX_LENGTH = 1_000;

/** Whether a machine can have the address on an underlay: it is not in 0/8, loopback, multicast or reserved. */
export function isUnderlayAddress(text: string): text is Ipv4 {
  if (!isIpv4(text)) return false;
  const first = Number(text.split('.')[0]);
  return first > 0 && first !== 127 && first < 224;
}

/** Whether a node may get a route to the subnet: at most a /8, of addresses that machines can have. */
export function isSegment(text: string): text is Ipv4Cidr {
  try {
    const subnet = parseIpv4Cidr(text);
    return ipv4Length(subnet) >= SEGMENT_LENGTH_MIN && isUnderlayAddress(subnet.split('/')[0] ?? '');
  } catch {
    return false;
  }
}

function isCanonicalIn(prefix: Ipv6Cidr, text: string): boolean {
  try {
    return parseIpv6(text) === text && ipv6InSubnet(text as Ipv6, prefix);
  } catch {
    return false;
  }
}

const text = z.pipe(
  z.string(),
  z.transform((value: string) => value.slice(0, TEXT_MAX_LENGTH)),
);
const ipv4 = z.custom<Ipv4>((value) => typeof value === 'string' && isUnderlayAddress(value));
const mac = z.custom<Mac>((value) => typeof value === 'string' && isUnicastMac(value));
const segments = z
  .array(z.custom<Ipv4Cidr>((value) => typeof value === 'string' && isSegment(value)))
  .check(z.maxLength(SEGMENTS_MAX));

const Version = z
  .object({ epoch: z.string(), revision: z.int() })
  .check(z.refine(({ epoch, revision }) => parseVersion(`${epoch}.${revision}`) !== undefined));

const ErrorShape = z.object({
  code: z.pipe(z.string(), z.transform(errorCodeOf)),
  message: text,
  object: z.exactOptional(text),
  rule: z.exactOptional(text),
  remedy: z.exactOptional(text),
  retryable: z.exactOptional(z.boolean()),
});

const nonce = z.exactOptional(z.string().check(z.regex(NONCE)));
const Accepted = z.object({ accepted: z.literal(true), version: Version, segments, nonce });
const Refused = z.object({ accepted: z.literal(false), error: ErrorShape, nonce });

/** The members of one mesh have their IPv6 in its prefix. */
function eventShape(prefix: Ipv6Cidr) {
  const member = z.object({
    name: z.string().check(z.regex(NODE_NAME)),
    ipv4,
    mac,
    ipv6: z.custom<Ipv6>((value) => typeof value === 'string' && isCanonicalIn(prefix, value)),
  });
  return z.discriminatedUnion('type', [
    // host0 itself comes on top of the members.
    z.object({
      type: z.literal('snapshot'),
      version: Version,
      members: z.array(member).check(z.maxLength(MEMBERS_MAX + 1)),
      segments,
    }),
    z.object({ type: z.enum(['join', 'change', 'leave']), version: Version, member }),
  ]);
}

/**
 * Reads events of a mesh's stream.
 * @returns a reader that throws MESH_HOST0_MALFORMED for an event that has not its form; nothing of such an event is used
 */
export function membershipEventReader({ fabric }: Network): (data: string) => MembershipEvent {
  const shape = eventShape(fabric.prefix);
  return (data) => read(shape, data, 'an event of the member list');
}

/**
 * Reads the body that answers `PUT /self`: an answer, or the error document of a request that failed.
 * @throws MESH_HOST0_MALFORMED
 */
export function readReportAnswer(body: string): SelfReportAnswer {
  const answer = read(z.union([Accepted, Refused, ErrorShape]), body, 'an answer to a report');
  return 'accepted' in answer ? answer : { accepted: false, error: answer };
}

function read<T>(shape: z.ZodMiniType<T>, json: string, what: string): T {
  const result = shape.safeParse(documentOf(json, what));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw malformed(what, issue === undefined ? '' : ` at ${issue.path.join('.') || 'its top'}`);
}

function documentOf(json: string, what: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw malformed(what, ': no JSON');
  }
}

/** The document itself is not quoted: a stranger may have written it. */
function malformed(what: string, where: string): MeshError {
  return new MeshError('MESH_HOST0_MALFORMED', `host0 sent ${what} that has not its form${where}`, {
    object: 'host0',
    rule: 'A node uses nothing of such a document. What it knew before stays.',
    remedy: 'Run `mesh doctor`: another machine may answer as host0, or host0 runs another version.',
    retryable: true,
  });
}
