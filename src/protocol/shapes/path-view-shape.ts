/** Reads the PathView that another node sends. Only the expected fields are kept, and texts are cut. */

import { HOPS, HOPS_MAX, type PathPart, type PathView, type SentPath, type SentPathPart } from '../documents/trace.ts';
import * as form from './form.ts';
import { Ipv4Shape, textUpTo } from './parts.ts';

const TEXT_MAX_LENGTH = 500;
const ADDRESSES_MAX = 64;

const Text = textUpTo(TEXT_MAX_LENGTH);
const Hop = form.object({
  subject: form.oneOf(HOPS),
  state: form.oneOf(['ok', 'differs', 'unknown']),
  held: Text,
  wanted: form.exactOptional(Text),
  remedy: form.exactOptional(Text),
});
const Part = form.object({
  hops: form.listOf(Hop, HOPS_MAX),
  sendsTo: form.exactOptional(Ipv4Shape),
  sendsFrom: form.exactOptional(Ipv4Shape),
  via: form.exactOptional(Ipv4Shape),
  receivesAt: form.exactOptional(form.listOf(Ipv4Shape, ADDRESSES_MAX)),
  receivesFrom: form.exactOptional(Ipv4Shape),
});
/** A node's part of a path, as the node sends it. */
export const PathDocumentShape: form.Shape<SentPath> = form.object({ forth: Part, back: Part });

/** The longest document, in bytes: all hops with texts that are cut, and as much again. */
export const PATH_MAX_BYTES: number = 256 * 1024;

/** What a node sent, as a PathView: all hops get the name of the node that was asked. */
export function pathViewOf({ forth, back }: SentPath, node: string): PathView {
  const ofNode = ({ hops, ...addresses }: SentPathPart): PathPart => ({
    ...addresses,
    hops: hops.map((hop) => ({ ...hop, node })),
  });
  return { node, forth: ofNode(forth), back: ofNode(back) };
}
