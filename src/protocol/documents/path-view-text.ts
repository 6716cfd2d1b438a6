/** Reads the PathView that another node sends. Only the expected fields are kept, and texts are cut. */

import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import { HOPS, HOPS_MAX, type HopSubject, type PathPart, type PathView, type TraceHop } from './trace.ts';

const TEXT_MAX_LENGTH = 500;
const ADDRESSES_MAX = 64;

/**
 * A PathView from the JSON in a node's answer.
 * @param node the node that was asked: all hops get its name, whatever the answer says
 * @throws MESH_USAGE
 */
export function readPathView(text: string, node: string): PathView {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw malformed(cause);
  }
  return { node, forth: readPart(field(document, 'forth'), node), back: readPart(field(document, 'back'), node) };
}

function readPart(value: unknown, node: string): PathPart {
  const [sendsTo, sendsFrom, via, receivesFrom] = (['sendsTo', 'sendsFrom', 'via', 'receivesFrom'] as const).map(
    (name) => readIpv4(field(value, name)),
  );
  const addresses = field(value, 'receivesAt');
  return {
    hops: readList(field(value, 'hops'), HOPS_MAX).map((hop) => readHop(hop, node)),
    ...(sendsTo !== undefined && { sendsTo }),
    ...(sendsFrom !== undefined && { sendsFrom }),
    ...(via !== undefined && { via }),
    ...(receivesFrom !== undefined && { receivesFrom }),
    ...(addresses !== undefined && {
      receivesAt: readList(addresses, ADDRESSES_MAX).flatMap((address) => readIpv4(address) ?? []),
    }),
  };
}

function readHop(value: unknown, node: string): TraceHop {
  const subject = HOPS.find((known): known is HopSubject => known === field(value, 'subject'));
  const state = (['ok', 'differs', 'unknown'] as const).find((known) => known === field(value, 'state'));
  const held = readText(field(value, 'held'));
  if (subject === undefined || state === undefined || held === undefined) throw malformed();
  const wanted = readText(field(value, 'wanted'));
  const remedy = readText(field(value, 'remedy'));
  return {
    node,
    subject,
    state,
    held,
    ...(wanted !== undefined && { wanted }),
    ...(remedy !== undefined && { remedy }),
  };
}

function readText(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw malformed();
  return value.slice(0, TEXT_MAX_LENGTH);
}

function readIpv4(value: unknown): Ipv4 | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !isIpv4(value)) throw malformed();
  return value;
}

function readList(value: unknown, max: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > max) throw malformed();
  return value;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function malformed(cause?: unknown): MeshError {
  return new MeshError('MESH_USAGE', 'it answers something that is not its part of a path', {
    ...(cause !== undefined && { cause }),
  });
}
