/**
 * The form of what host0 sends into a mesh. A node reads each document by these shapes before its first use: whoever answers
 * at host0's address is believed only as far as the document has its form. Text of a member ends up in the kernel and in nft.
 */

import { MeshError } from '../../model/error.ts';
import type { Member } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { MEMBERS_MAX, type MembershipEvent, NONCE, type SelfReportAnswer } from '../documents/membership.ts';
import { type DocumentReading, fitted, readDocument } from './document.ts';
import * as form from './form.ts';
import { ErrorShape, MemberShape, memberShapeIn, SegmentsShape, VersionShape } from './parts.ts';

/** The longest event, in characters: a list of MEMBERS_MAX members with the longest names has 800,000. */
export const EVENT_MAX_LENGTH = 1024 * 1024;
/** An answer has a version and at most SEGMENTS_MAX segments, or an error. */
const ANSWER_MAX_LENGTH = 64 * 1024;

const nonce = form.exactOptional(form.string({ pattern: NONCE }));
const Accepted = form.object({ accepted: form.literal(true), version: VersionShape, segments: SegmentsShape, nonce });
const Refused = form.object({ accepted: form.literal(false), error: ErrorShape, nonce });
/** The answer to a report. */
export const ReportAnswerShape: form.Shape<SelfReportAnswer> = form.union([Accepted, Refused]);
const Answer = form.union([Accepted, Refused, ErrorShape]);

/** The members of one mesh have their IPv6 in its prefix. */
function eventShape({ hostAddress }: Mesh): form.Shape<MembershipEvent> {
  return eventShapeOf(memberShapeIn(hostAddress.prefix));
}

function eventShapeOf(member: form.Shape<Member>): form.Shape<MembershipEvent> {
  return form.variants('type', [
    // host0 itself comes on top of the members.
    form.object({
      type: form.literal('snapshot'),
      version: VersionShape,
      members: form.listOf(member, MEMBERS_MAX + 1),
      segments: SegmentsShape,
    }),
    form.object({ type: form.oneOf(['join', 'change', 'leave']), version: VersionShape, member }),
  ]);
}

/** An event of the stream of any mesh. */
export const MembershipEventShape: form.Shape<MembershipEvent> = eventShapeOf(MemberShape);

/**
 * Reads events of a mesh's stream.
 * @returns a reader that throws MESH_HOST0_MALFORMED for an event that has not its form; nothing of such an event is used
 */
export function membershipEventReader(network: Mesh): (data: string) => MembershipEvent {
  const shape = eventShape(network);
  return (data) => wellFormed(readDocument(shape, data, EVENT_MAX_LENGTH));
}

/** The same reader for events that came as part of a document, and are parsed already. */
export function membershipValueReader(network: Mesh): (value: unknown) => MembershipEvent {
  const shape = eventShape(network);
  return (value) => wellFormed(fitted(shape, value));
}

function wellFormed({ document, fault }: DocumentReading<MembershipEvent>): MembershipEvent {
  if (fault !== undefined) throw malformed(`an event of the member list that ${fault}`);
  return document;
}

/**
 * Reads the body that answers `PUT /self`: an answer, or the error document of a request that failed.
 * @throws MESH_HOST0_MALFORMED
 */
export function readReportAnswer(body: string): SelfReportAnswer {
  const { document, fault } = readDocument(Answer, body, ANSWER_MAX_LENGTH);
  if (fault !== undefined) throw malformed(`an answer to a report that ${fault}`);
  return 'accepted' in document ? document : { accepted: false, error: document };
}

/** The document itself is not quoted: a stranger may have written it. */
function malformed(what: string): MeshError {
  return new MeshError('MESH_HOST0_MALFORMED', `host0 sent ${what}`, {
    object: 'host0',
    rule: 'A node uses nothing of such a document. What it knew before stays.',
    remedy: 'Run `mesh doctor`: another machine may answer as host0, or host0 runs another version.',
    retryable: true,
  });
}
