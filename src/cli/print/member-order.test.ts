/** Nodes are listed in the order in which people look for them. */
import { expect, test } from 'vitest';
import { byNodeName, inOrder } from './member-order.ts';

const named = (...names: readonly string[]) => names.map((name) => ({ name }));

test('numbers in names count as numbers, and letters of both cases are the same', () => {
  const sorted = [
    '1f',
    '2',
    '10',
    'Attic',
    'node',
    'node1',
    'Node2',
    'node2-b1',
    'node2-b10',
    'node10',
    'rack1node9',
    'rack2',
  ];
  expect(byNodeName(named(...sorted.toReversed()))).toEqual(named(...sorted));
});

test('host0 comes first, and an empty list stays empty', () => {
  expect(inOrder(named('host0', 'node10', 'node2', 'a'))).toEqual(named('host0', 'a', 'node2', 'node10'));
  expect(inOrder([])).toEqual([]);
});
