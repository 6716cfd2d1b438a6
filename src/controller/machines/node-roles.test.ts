/** Roles of nodes: they are in the store, bounded, and each change is told once. */
import { expect, test } from 'vitest';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import type { MachineId } from '../../model/machine.ts';
import { NodeRoles, ROLES_OF_NODE_MAX } from './node-roles.ts';

const A = 'aaaaaaaa' as MachineId;

test('roles are added and taken away, and are the same after a restart of host0', async () => {
  const store = new MemoryStore();
  const roles = await NodeRoles.open(store);
  const changed: string[] = [];
  roles.changes.subscribe((machine) => changed.push(machine));
  await Promise.all([roles.add(A, 'router'), roles.add(A, 'edge'), roles.add('host0', 'edge')]);
  await roles.add(A, 'edge');
  expect(roles.of(A)).toEqual(['edge', 'router']);
  expect(changed).toEqual([A, A, 'host0']);
  const again = await NodeRoles.open(store);
  expect(again.machines.map((machine) => [machine, again.of(machine)])).toEqual([
    [A, ['edge', 'router']],
    ['host0', ['edge']],
  ]);
  await again.remove('host0', 'edge');
  await expect(again.remove('host0', 'edge')).rejects.toMatchObject({ code: 'MESH_OBJECT_UNKNOWN' });
  expect((await store.range('/v1/roles/')).entries.map(({ key }) => key)).toEqual([`/v1/roles/${A}`]);
});

test('a node has a bounded number of roles', async () => {
  const roles = await NodeRoles.open(new MemoryStore());
  for (let at = 0; at < ROLES_OF_NODE_MAX; at++) await roles.add(A, `role${at}`);
  await expect(roles.add(A, 'more')).rejects.toMatchObject({ code: 'MESH_USAGE' });
  await roles.add(A, 'role1');
  expect(roles.of(A)).toHaveLength(ROLES_OF_NODE_MAX);
});

test('a damaged record is told, and harms no other', async () => {
  const store = new MemoryStore();
  await (await NodeRoles.open(store)).add(A, 'edge');
  await store.txn([], [{ put: '/v1/roles/bbbbbbbb', value: '{' }]);
  const roles = await NodeRoles.open(store);
  expect(roles.of(A)).toEqual(['edge']);
  expect(roles.health()).toMatchObject([{ code: 'MESH_STATE_DAMAGED', object: '/v1/roles/bbbbbbbb' }]);
});
