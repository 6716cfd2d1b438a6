/** On which NIC a machine's card is heard, from neighbour entries. */
import { expect, test } from 'vitest';
import { parseMac } from '../../model/address/mac.ts';
import { heardAt } from './heard-at.ts';

const [ONE, TWO] = [parseMac('52:54:00:00:00:01'), parseMac('52:54:00:00:00:02')];
const LINKS = [
  { index: 2, name: 'eth1' },
  { index: 3, name: 'eth2' },
];

test('a card is heard on the NIC of its last neighbour entry', () => {
  const heard = heardAt(
    [
      { mac: ONE, link: 2, state: 'reachable' },
      { mac: TWO, link: 2, state: 'stale' },
      { mac: TWO, link: 3, state: 'stale' },
    ],
    LINKS,
  );
  expect([...heard]).toEqual([
    [ONE, 'eth1'],
    [TWO, 'eth2'],
  ]);
});

test('failed entries, entries without a MAC and entries of a missing link are left out', () => {
  const heard = heardAt(
    [
      { mac: ONE, link: 2, state: 'failed' },
      { link: 2, state: 'incomplete' },
      { mac: TWO, link: 9, state: 'reachable' },
    ],
    LINKS,
  );
  expect(heard.size).toBe(0);
});
