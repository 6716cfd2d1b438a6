/** The shapes of the parts that many documents have: addresses, names, members, errors and texts. */

import { Ipv6Shape, isIpv4Cidr, MacShape } from '../../model/address/address-shapes.ts';
import { type Ipv4, type Ipv4Cidr, ipv4Length, isIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, ipv6InSubnet } from '../../model/address/ipv6.ts';
import { type ErrorDocument, errorCodeOf } from '../../model/error.ts';
import { isMachineId, type MachineId } from '../../model/machine.ts';
import type { Member } from '../../model/network/member.ts';
import type { Finding } from '../documents/finding.ts';
import { type MembershipVersion, NODE_NAME, parseVersion } from '../documents/membership.ts';
import * as form from './form.ts';

export {
  Ipv4CidrShape,
  Ipv4Shape,
  Ipv6CidrShape,
  Ipv6Shape,
  MacShape,
} from '../../model/address/address-shapes.ts';
export { DeviceShape, NetworkIdShape } from '../../model/network/words.ts';

/** More networks than a node can have links for. */
export const NETWORKS_MAX = 16_384;
/** A cluster has a handful of underlay segments; a node gets a route for each. */
export const SEGMENTS_MAX = 64;
/** A segment larger than a /8 would take in other people's networks. */
const SEGMENT_LENGTH_MIN = 8;
/** A process with more findings has a fault of its own. */
const FINDINGS_MAX = 100_000;
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
  return isIpv4Cidr(text) && ipv4Length(text) >= SEGMENT_LENGTH_MIN && isUnderlayAddress(text.split('/')[0] ?? '');
}

function word<T extends string>(is: (text: string) => boolean): form.Shape<T> {
  return form.guard<T>((value) => typeof value === 'string' && value.length <= 64 && is(value), undefined, form.TEXT);
}

/** A text that a parser takes. A text for which the parser throws does not fit. */
export function parsedBy<T>(parse: (text: string) => T): form.Shape<T> {
  return form.mapped(form.string(), parse);
}

/** A text for people. A longer one is cut. */
export function textUpTo(lengthMax: number): form.Shape<string> {
  return form.mapped(form.string(), (text) => text.slice(0, lengthMax));
}

/** A text for people of the usual length. */
export const TextShape: form.Shape<string> = textUpTo(TEXT_MAX_LENGTH);
/** A time, ISO 8601. */
export const TimeShape: form.Shape<string> = form.string({ pattern: /^\d{4}-\d\d-\d\dT[\d:.]{5,20}Z$/ });
/** An IPv4 address that a machine can have on an underlay. */
export const UnderlayAddressShape: form.Shape<Ipv4> = word<Ipv4>(isUnderlayAddress);
/** A machine id. */
export const MachineIdShape: form.Shape<MachineId> = word<MachineId>(isMachineId);
/** The subnets that a node may get routes to. */
export const SegmentsShape: form.Shape<Ipv4Cidr[]> = form.listOf(word<Ipv4Cidr>(isSegment), SEGMENTS_MAX);

/** The version of a member list. */
export const VersionShape: form.Shape<MembershipVersion> = form.refined(
  form.object({ epoch: form.string({ max: 32 }), revision: form.int() }),
  ({ epoch, revision }) => parseVersion(`${epoch}.${revision}`) !== undefined,
);

/** A host name in member lists. */
export const NodeNameShape: form.Shape<string> = form.string({ pattern: NODE_NAME });

/** A member of any mesh. */
export const MemberShape = form.object({
  name: NodeNameShape,
  ipv4: UnderlayAddressShape,
  mac: MacShape,
  ipv6: Ipv6Shape,
});

/** A member of the mesh with this prefix. */
export function memberShapeIn(prefix: Ipv6Cidr): form.Shape<Member> {
  return form.refined(MemberShape, ({ ipv6 }) => ipv6InSubnet(ipv6, prefix));
}

/** The findings in the status of a process. */
export const FindingsShape: form.Shape<Finding[]> = form.listOf(
  form.object({
    code: form.mapped(form.string(), errorCodeOf),
    severity: form.oneOf(['warning', 'error']),
    object: TextShape,
    message: TextShape,
    remedy: TextShape,
  }),
  FINDINGS_MAX,
);

/** An error of another process. A code that this version does not know becomes MESH_INTERNAL. */
export const ErrorShape: form.Shape<ErrorDocument> = form.object({
  code: form.mapped(form.string(), errorCodeOf),
  message: TextShape,
  operation: form.exactOptional(TextShape),
  object: form.exactOptional(TextShape),
  rule: form.exactOptional(TextShape),
  remedy: form.exactOptional(TextShape),
  place: form.exactOptional(form.object({ file: TextShape, line: form.int(), column: form.int(), text: TextShape })),
  retryable: form.exactOptional(form.boolean()),
});
