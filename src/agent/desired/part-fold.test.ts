/** Proves that the fold builds only parts whose inputs differ, and that parts share what they have in common. */
import { expect, test } from 'vitest';
import type { Mac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Item } from '../items/item.ts';
import type { Content, Part } from './part.ts';
import { PartFold } from './part-fold.ts';

function neighbour(address: string, mac: string): Item {
  const [network, link] = ['mesh-456' as NetworkId, 'br456'];
  return { kind: 'neighbour', network, link, address: address as never, mac: mac as Mac };
}

const [FIRST, OTHER] = [neighbour('fd42::1', '02:00:00:00:00:01'), neighbour('fd42::1', '02:00:00:00:00:02')];
const KEY = 'neighbour:br456 fd42::1';

function part(key: string, input: unknown, content: Content, built: string[] = []): Part {
  const build = () => {
    built.push(key);
    return content;
  };
  return { key, inputs: [input], build };
}

test('a part is built when an input is another value, and its smaller parts are looked at only then', () => {
  const fold = new PartFold();
  const built: string[] = [];
  const both = (outer: number, inner: number) => [
    part('outer', outer, { parts: [part('inner', inner, { items: [FIRST] }, built)] }, built),
  ];
  fold.update(both(1, 1));
  fold.update(both(1, 2));
  expect(built).toEqual(['outer', 'inner']);
  fold.update(both(2, 1));
  expect(built).toEqual(['outer', 'inner', 'outer']);
  fold.update(both(3, 3));
  expect(built).toEqual(['outer', 'inner', 'outer', 'outer', 'inner']);
});

test('the changes name the item from before, and an equal item is no change', () => {
  const fold = new PartFold();
  fold.update([part('a', 1, { items: [FIRST] })]);
  expect([...fold.takeChanges()]).toEqual([[KEY, undefined]]);
  fold.update([part('a', 2, { items: [{ ...FIRST }] })]);
  expect([...fold.takeChanges()]).toEqual([]);
  expect(fold.items.get(KEY)).toBe(FIRST);
  fold.update([part('a', 3, { items: [OTHER] })]);
  expect([...fold.takeChanges()]).toEqual([[KEY, FIRST]]);
  fold.update([]);
  expect([...fold.takeChanges()]).toEqual([[KEY, OTHER]]);
  expect(fold.items.size).toBe(0);
});

test('an item of several parts stays until the last of them goes, with the content of one that is there', () => {
  const fold = new PartFold();
  const [a, b] = [part('a', 1, { items: [FIRST] }), part('b', 1, { items: [OTHER] })];
  fold.update([a, b]);
  expect(fold.items.get(KEY)).toBe(OTHER);
  fold.update([a]);
  expect(fold.items.get(KEY)).toBe(FIRST);
  fold.update([b]);
  expect(fold.items.get(KEY)).toBe(OTHER);
  fold.update([]);
  expect(fold.items.size).toBe(0);
});

test('an element that several parts add stays until the last of them goes', () => {
  const fold = new PartFold();
  const element = { set: 'sources', element: '10.0.0.1' };
  const adding = (...keys: string[]) => keys.map((key) => part(key, 1, { elements: [element] }));
  fold.update(adding('a', 'b', 'c'));
  const { revision } = fold.elements;
  const given = fold.elements.elementsOf('sources');
  fold.update(adding('b'));
  expect(fold.elements.revision).toBe(revision);
  expect(fold.elements.elementsOf('sources')).toBe(given);
  fold.update([part('b', 2, { elements: [element, { set: 'sources', element: '10.0.0.2' }] })]);
  expect(given).toEqual(new Set(['10.0.0.1']));
  expect(fold.elements.elementsOf('sources')).toEqual(new Set(['10.0.0.1', '10.0.0.2']));
  fold.update([]);
  expect(fold.elements.elementsOf('sources').size).toBe(0);
});
