/** Documents of strangers: a large one costs as much more as it is larger, and a name that is none is never printed. */
import { expect, test } from 'vitest';
import { copyOf } from './xml-copy.ts';
import { parseXml } from './xml-tree.ts';

const MANY = 90_000;
const TIMEOUT_MS = 30_000;

// With a cost that grows by the square, each of these takes minutes, and the test its whole time.
test('an element with very many attributes is read', { timeout: TIMEOUT_MS }, () => {
  const attributes = Array.from({ length: MANY }, (_, at) => `a${at}="${'v'.repeat(20)}"`);
  expect(parseXml(`<n ${attributes.join(' ')}><b/></n>`).attributes).toHaveLength(MANY);
  expect(() => parseXml(`<n ${attributes.join(' ')} a7=''/>`)).toThrow('Attribute a7 redefined');
});

test('very many namespaces are read and printed', { timeout: TIMEOUT_MS }, () => {
  const outer = Array.from({ length: MANY / 2 }, (_, at) => `xmlns:a${at}="u"`);
  const inner = Array.from({ length: MANY / 2 }, (_, at) => `<b xmlns:c="v${at}"><c:d/></b>`);
  const element = parseXml(`<n ${outer.join(' ')}>${inner.join('')}</n>`);
  expect(element.children).toHaveLength(MANY / 2);
  expect(copyOf(element).lines).toHaveLength(2 + 3 * (MANY / 2));
});

test.each(["e y='1'", '', '1a', 'a:b:c', 'a><b/><a'])('an element of the name %j is not printed', (name) => {
  const element = parseXml('<e/>');
  expect(() => copyOf({ ...element, name })).toThrow('is no name of an element or attribute');
  const attribute = { name, namespace: '', value: '', offset: 0 };
  expect(() => copyOf({ ...element, attributes: [attribute] })).toThrow('is no name of an element or attribute');
  expect(() => copyOf({ ...element, declared: new Map([[name || 'xmlns', 'urn:x']]) })).toThrow('is no name');
});
