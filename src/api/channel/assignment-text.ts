/**
 * Assignments as text for the channel. The text of a network, of its peers and of its services is made once, for all nodes
 * that get the same object. What a node has already is only named by its digest.
 */
import {
  attachmentDigest,
  NODE_ASSIGNMENT_FORMAT,
  type NodeAssignment,
  type NodeAttachment,
} from '../../protocol/documents/node-assignment.ts';

/** The digests of the attachments that a node has, by network. */
export type HeldDigests = Readonly<Record<string, string>>;

/** The formats that this version writes. */
const FORMATS: readonly number[] = [NODE_ASSIGNMENT_FORMAT];

const texts = new WeakMap<object, string>();

/** The newest format that both ends know; undefined when there is none. @param newest the newest one that the node reads */
export function commonFormat(newest: number): number | undefined {
  return FORMATS.filter((format) => format <= newest).sort((a, b) => b - a)[0];
}

/** The text of an assignment for a node that has some of its attachments. */
export function assignmentText(assignment: NodeAssignment, format: number, held: HeldDigests): string {
  const attachments = assignment.attachments.map((attachment) => attachmentText(attachment, held));
  const { attachments: _, ...rest } = { ...assignment, format };
  return `${JSON.stringify(rest).slice(0, -1)},"attachments":[${attachments.join()}]}`;
}

/** The digests of all attachments of an assignment. */
export function digestsIn({ attachments }: NodeAssignment): HeldDigests {
  return Object.fromEntries(attachments.map((attachment) => [attachment.network.id, attachmentDigest(attachment)]));
}

function attachmentText(attachment: NodeAttachment, held: HeldDigests): string {
  const digest = attachmentDigest(attachment);
  const network = attachment.network.id;
  if (held[network] === digest) return JSON.stringify({ network, digest });
  const parts = Object.entries(attachment).map(([key, part]) => `${JSON.stringify(key)}:${partText(part)}`);
  return `{${parts.join()}}`;
}

function partText(part: unknown): string {
  if (typeof part !== 'object' || part === null) return JSON.stringify(part);
  const text = texts.get(part) ?? JSON.stringify(part);
  texts.set(part, text);
  return text;
}
