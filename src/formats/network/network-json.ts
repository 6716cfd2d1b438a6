/** Networks as JSON text: orders that people write, with the place of each fault. */
import { MeshError, type SourcePlace } from '../../model/error.ts';
import type { Words } from '../../model/form.ts';
import type { NetworkNumber } from '../../model/network/number.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { jsonFaultOffset, readJson } from '../../protocol/shapes/document.ts';
import { OrderMisfit, orderedNetwork } from './ordered-network.ts';

/** The longest document: a network with thousands of reservations has some 500 kB. */
const LENGTH_MAX = 4 * 1024 * 1024;

/** Any number: what is wrong with an order does not depend on its number. */
const SAMPLE_NUMBER = 0x1000 as NetworkNumber;

/**
 * Reads a document, or the answer of `mesh network show --json` with one, and judges what can be judged without host0.
 * @param file its name, for errors
 * @throws MESH_CONF_SYNTAX, MESH_NET_INVALID with the place in the file
 */
export function readNetworkJson(file: string, text: string): NetworkOrder {
  const { document, fault } = readJson(text, LENGTH_MAX);
  if (fault !== undefined) throw noJson(file, text, fault);
  const order = isPart(document) && isPart(document.network) ? document.network : document;
  const above = order === document ? [] : ['network'];
  const refusal = (message: string, words: Words, path: readonly string[] = []) =>
    new MeshError('MESH_NET_INVALID', message, {
      ...words,
      place: placeAt(file, text, offsetOf(text, [...above, ...path])),
    });
  if (!isPart(order)) {
    throw refusal('the document is not an object', {
      rule: 'A network is one JSON object.',
      remedy: 'Write {"name": "blue"}',
    });
  }
  if (typeof order.name !== 'string') {
    throw refusal('the document names no network', { rule: 'A network has a name.', remedy: 'Write "name": "blue"' });
  }
  try {
    orderedNetwork(order, { number: SAMPLE_NUMBER, name: order.name });
  } catch (error) {
    if (!(error instanceof OrderMisfit)) throw error;
    throw refusal(error.message, error.words, error.path);
  }
  return order;
}

function isPart(value: unknown): value is NetworkOrder {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function noJson(file: string, text: string, fault: string): MeshError {
  return new MeshError('MESH_CONF_SYNTAX', `the document ${fault}`, {
    rule: 'A document of a network is JSON.',
    remedy: 'Compare it with one that host0 prints: `mesh network show NAME --json`',
    place: placeAt(file, text, jsonFaultOffset(text)),
  });
}

/** The line and column of an offset. */
function placeAt(file: string, text: string, offset: number): SourcePlace {
  const before = text.slice(0, offset).split('\n');
  const line = before.length;
  return { file, line, column: (before.at(-1)?.length ?? 0) + 1, text: text.split('\n')[line - 1] ?? '' };
}

/** The offset of the part that a path leads to; of the nearest part above, where the document has no such part. */
function offsetOf(text: string, path: readonly string[]): number {
  let found = Math.max(0, text.search(/\S/));
  let [at, depth, level, index] = [0, 0, 0, 0];
  while (at < text.length && level < path.length) {
    const sign = text[at];
    if (sign === '"') {
      const end = endOfText(text, at);
      const isKey = /^\s*:/.test(text.slice(end, end + 64));
      if (isKey && depth === level + 1 && text.slice(at, end) === JSON.stringify(path[level])) {
        found = at;
        level++;
        index = 0;
      }
      at = end;
      continue;
    }
    if (sign === '{' || sign === '[') depth++;
    // Beyond the object that the last part is in, no further part is found.
    if ((sign === '}' || sign === ']') && --depth < level) break;
    const isElement = depth === level + 1 && /\d/.test(path[level] ?? '');
    if (isElement && (sign === '[' || sign === ',') && index++ === Number(path[level])) {
      found = at + 1 + Math.max(0, text.slice(at + 1).search(/\S/));
      level++;
      index = 0;
    }
    at++;
  }
  return found;
}

function endOfText(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
