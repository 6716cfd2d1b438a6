/** The space of a network as an item: what is observed has flaws, and what is wanted can change. */
import { expect, test } from 'vitest';
import { parseMac } from '../../../model/address/mac.ts';
import { type NetworkNumber, networkIdOf } from '../../../model/network/number.ts';
import { PartFold } from '../../desired/part-fold.ts';
import { spacePart } from '../../desired/parts/space.ts';
import type { ServiceSpace } from './service-space.ts';
import { spaceItem, spaceKey, spaceKind } from './space-item.ts';

const space: ServiceSpace = {
  network: networkIdOf(0x1001 as NetworkNumber),
  name: 'meshwork-1001',
  path: '/run/meshwork/netns/meshwork-1001',
  port: 's1001',
  bridge: 'br1001',
  mac: parseMac('02:00:00:00:00:01'),
  mtuBytes: 1450,
  addresses: [],
};

test('an observed space differs by its flaws', () => {
  const { space: _, ...observed } = spaceItem(space);
  expect(spaceKind.differences(observed, spaceItem(space))).toEqual([]);
  expect(spaceKind.differences({ ...observed, flaws: ['eth0 is down'] }, spaceItem(space))).toEqual(['eth0 is down']);
});

test('a space that shall be otherwise takes the place of the one before', () => {
  const other = { ...space, mtuBytes: 1400 };
  const fold = new PartFold();
  fold.update([spacePart(space)]);
  fold.takeChanges();
  fold.update([spacePart(other)]);
  expect(fold.items.get(spaceKey(space.name))).toMatchObject({ space: other });
  expect([...fold.takeChanges().keys()]).toEqual([spaceKey(space.name)]);
});
