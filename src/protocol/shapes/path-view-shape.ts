/** Reads the PathView that another node sends. Only the expected fields are kept, and texts are cut. */

import { MeshError } from '../../model/error.ts';
import { HOPS, HOPS_MAX, type PathPart, type PathView, type SentPath, type SentPathPart } from '../documents/trace.ts';
import { readDocument } from './document.ts';
import * as form from './form.ts';
import { Ipv4Shape, textUpTo } from './parts.ts';

const TEXT_MAX_LENGTH = 500;
const ADDRESSES_MAX = 64;
/** All hops with texts that are cut, and as much again. */
const VIEW_MAX_LENGTH = 256 * 1024;

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

/**
 * A PathView from the JSON in a node's answer.
 * @param node the node that was asked: all hops get its name, whatever the answer says
 * @throws MESH_USAGE
 */
export function readPathView(text: string, node: string): PathView {
  const { document, fault } = readDocument(PathDocumentShape, text, VIEW_MAX_LENGTH);
  if (fault !== undefined) {
    throw new MeshError('MESH_USAGE', `it answers with something else than its part of the path, which ${fault}`);
  }
  const ofNode = ({ hops, ...addresses }: SentPathPart): PathPart => ({
    ...addresses,
    hops: hops.map((hop) => ({ node, ...hop })),
  });
  return { node, forth: ofNode(document.forth), back: ofNode(document.back) };
}
