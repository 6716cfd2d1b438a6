/** Networks as JSON text: orders that people write, with the place of each fault. */
import { MeshError } from '../../model/error.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { jsonFaultOffset, readJson } from '../../protocol/shapes/document.ts';
import { judgedOrder, type PartPath, placeAt } from './written-network.ts';

/** The longest document: a network with thousands of reservations has some 500 kB. */
const LENGTH_MAX = 4 * 1024 * 1024;

/**
 * Reads a document, or the answer of `mesh network show --json` with one, and judges what can be judged without host0.
 * @param file its name, for errors
 * @throws MESH_CONF_SYNTAX, MESH_NET_INVALID with the place in the file
 */
export function readNetworkJson(file: string, text: string): NetworkOrder {
  const { document, fault } = readJson(text, LENGTH_MAX);
  if (fault !== undefined) throw noJson(file, text, fault);
  return judgedOrder({
    document,
    placeOf: (path) => placeAt(file, text, offsetOf(text, path)),
    rule: 'A network is one JSON object.',
    example: '{"name": "blue"}',
  });
}

function noJson(file: string, text: string, fault: string): MeshError {
  return new MeshError('MESH_CONF_SYNTAX', `the document ${fault}`, {
    rule: 'A document of a network is JSON.',
    remedy: 'Compare it with one that host0 prints: `mesh network show NAME --json`',
    place: placeAt(file, text, jsonFaultOffset(text)),
  });
}

/** The offset of the part that a path leads to; of the nearest part above, where the document has no such part. */
function offsetOf(text: string, path: PartPath): number {
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
