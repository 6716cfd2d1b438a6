/**
 * One node's assignment as host0 composes it. Networks and peers are the same objects in the documents of all nodes, and each is
 * written as text and digested once.
 */
import type { NetworkId } from '../../model/network/number.ts';
import type { MembershipVersion } from '../../protocol/documents/membership.ts';
import {
  attachmentDigest,
  NODE_ASSIGNMENT_FORMAT,
  type NodeAttachment,
  type OrphanName,
} from '../../protocol/documents/node-assignment.ts';

/** What one assignment is made of. */
export interface ComposedAssignmentInput {
  readonly version: MembershipVersion;
  /** Grows with each assignment that host0 composes. */
  readonly sequence: number;
  readonly attachments: readonly NodeAttachment[];
  readonly released: readonly OrphanName[];
}

const texts = new WeakMap<object, string>();

/** An assignment, to be sent to one node as often as needed. */
export class ComposedAssignment {
  readonly version: MembershipVersion;
  readonly sequence: number;
  readonly #attachments: readonly NodeAttachment[];
  readonly #released: readonly OrphanName[];

  constructor({ version, sequence, attachments, released }: ComposedAssignmentInput) {
    this.version = version;
    this.sequence = sequence;
    this.#attachments = attachments;
    this.#released = released;
  }

  /** The networks that the node is given. */
  get networks(): readonly NetworkId[] {
    return this.#attachments.map(({ network }) => network.id);
  }

  /**
   * The document. Attachments that the node has are named by their digest.
   * @param held the digest of each attachment that the node has said to have; none gives the whole document
   */
  text(held: Readonly<Record<string, string>> = {}): string {
    const { epoch, revision } = this.version;
    const attachments = this.#attachments.map((attachment) => {
      const digest = attachmentDigest(attachment);
      const { id } = attachment.network;
      return held[id] === digest ? JSON.stringify({ network: id, digest }) : attachmentText(attachment);
    });
    const rest = { ports: [], workloads: [], segments: [], nics: [], released: this.#released };
    const head = JSON.stringify({ format: NODE_ASSIGNMENT_FORMAT, epoch, revision, ...rest });
    return `${head.slice(0, -1)},"attachments":[${attachments.join(',')}]}`;
  }
}

function attachmentText({ network, reasons, peers, services }: NodeAttachment): string {
  const [own, others] = [JSON.stringify(reasons), JSON.stringify(services)];
  return `{"network":${textOf(network)},"reasons":${own},"peers":${textOf(peers)},"services":${others}}`;
}

function textOf(part: object): string {
  const known = texts.get(part);
  if (known !== undefined) return known;
  const text = JSON.stringify(part);
  texts.set(part, text);
  return text;
}
