/** Judges a document of a network that people wrote, in any format, and shows a fault at its place. */
import { MeshError, type SourcePlace } from '../../model/error.ts';
import type { Words } from '../../model/form.ts';
import { isNetworkNumber, type NetworkNumber } from '../../model/network/number.ts';
import { NETWORK_NAME_RULE } from '../../model/network/words.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { OrderMisfit, orderedNetwork } from './ordered-network.ts';

/** Leads to a part of a document: keys of objects, and indices of lists. */
export type PartPath = readonly string[];

/** A document, as the parser of a format has read it. */
export interface WrittenNetwork {
  readonly document: unknown;
  /** Where a part is; the place of the nearest part above, where the document has no such part. */
  readonly placeOf: (path: PartPath) => SourcePlace;
  /** How the part is written, if it is a word that stands for a number, a boolean or null. JSON has no such words. */
  readonly wordAt?: (path: PartPath) => string | undefined;
  /** What the document is as a whole. */
  readonly rule: string;
  /** A whole document. */
  readonly example: string;
}

/** Any number: what is wrong with an order does not depend on its number. */
const SAMPLE_NUMBER = 0x1000 as NetworkNumber;

/**
 * The order in a document, or in an answer of `mesh network show --json`, judged as far as that is possible without host0.
 * @throws MESH_NET_INVALID with the place in the file
 */
export function judgedOrder({ document, placeOf, wordAt, rule, example }: WrittenNetwork): NetworkOrder {
  const order = isPart(document) && isPart(document.network) ? document.network : document;
  const above = order === document ? [] : ['network'];
  const refusal = (message: string, words: Words, path: PartPath = []) =>
    new MeshError('MESH_NET_INVALID', message, { ...words, place: placeOf([...above, ...path]) });
  const wordOf = (path: PartPath) => wordAt?.([...above, ...path]);
  if (!isPart(order)) throw refusal('the document is not an object', { rule, remedy: `Write ${example}` });
  const { name } = order;
  if (name === undefined) {
    throw refusal('the document names no network', { rule: 'A network has a name.', remedy: `Write ${example}` });
  }
  if (typeof name !== 'string') {
    const words = { rule: NETWORK_NAME_RULE, ...quoted(wordOf(['name'])) };
    throw refusal(`name: ${JSON.stringify(name)} does not fit`, words, ['name']);
  }
  if (order.number !== undefined && !isNetworkNumber(order.number)) {
    const words = {
      rule: 'A number is between 1 and 16777215 (0xffffff).',
      remedy: 'Leave the number out: host0 allocates one',
    };
    throw refusal(`number: ${JSON.stringify(order.number)} does not fit`, words, ['number']);
  }
  const misfit = misfitOf(order, name);
  if (misfit === undefined) return order;
  const { path, message, words } = misfit;
  const word = wordOf(path);
  const isText = word !== undefined && misfitOf(withText(order, path, word), name)?.path.join() !== path.join();
  throw refusal(message, { ...words, ...(isText && quoted(word)) }, path);
}

function quoted(word: string | undefined): { readonly remedy?: string } {
  return word === undefined ? {} : { remedy: `Write "${word}"` };
}

function misfitOf(order: NetworkOrder, name: string): OrderMisfit | undefined {
  try {
    orderedNetwork(order, { number: SAMPLE_NUMBER, name });
    return undefined;
  } catch (error) {
    if (error instanceof OrderMisfit) return error;
    throw error;
  }
}

/** The order with a text in place of one part. */
function withText(order: NetworkOrder, path: PartPath, text: string): NetworkOrder {
  const whole = structuredClone(order);
  const parent = path.slice(0, -1).reduce<unknown>((part, key) => Reflect.get(Object(part), key), whole);
  if (typeof parent === 'object' && parent !== null) Reflect.set(parent, path.at(-1) ?? '', text);
  return whole;
}

function isPart(value: unknown): value is NetworkOrder {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The line and column of an offset in a text. */
export function placeAt(file: string, text: string, offset: number): SourcePlace {
  const before = text.slice(0, offset).split('\n');
  const line = before.length;
  const whole = text.split('\n', line)[line - 1] ?? '';
  return { file, line, column: (before.at(-1)?.length ?? 0) + 1, text: whole.replace(/\r$/, '') };
}
