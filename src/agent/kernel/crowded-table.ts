/**
 * Room for our entries in the FDB of a VXLAN device. The device has one limit for all entries, so made-up Ethernet
 * addresses that it has learnt can leave no room for a member. Learnt entries give way: the device learns them again
 * from the next frame.
 */

import { isLearned } from '../../kernel/mirror/kernel-tables.ts';
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import type { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import type { MeshError } from '../../model/error.ts';

/**
 * Learnt entries that are deleted beside those that must be. A flood goes on while we work: at 100,000 frames a second
 * a thousand places last 10 ms, and the second try takes 1 ms.
 */
const SPARE = 1_000;

/**
 * Repeats the operations that a full table has refused, after it has deleted learnt entries of the table.
 * @param errors the outcome of `operations`
 * @returns the outcome with that of the second try
 */
export async function withRoom(
  rtnl: Rtnl,
  operations: readonly KernelOperation[],
  errors: readonly (MeshError | undefined)[],
): Promise<readonly (MeshError | undefined)[]> {
  const refused = operations.flatMap((operation, number) =>
    isEntry(operation) && isFull(errors[number]) ? [{ operation, number }] : [],
  );
  if (refused.length === 0) return errors;
  for (const [link, { length }] of Map.groupBy(refused, ({ operation }) => operation.link)) {
    await makeRoom(rtnl, link, length + SPARE);
  }
  const again = await rtnl.apply(refused.map(({ operation }) => operation));
  const outcome = [...errors];
  for (const [index, { number }] of refused.entries()) outcome[number] = again[index];
  return outcome;
}

type EntryOperation = Extract<KernelOperation, { do: 'fdb-replace' | 'fdb-append' | 'fdb-delete' }>;

function isEntry(operation: KernelOperation): operation is EntryOperation {
  return (operation.do === 'fdb-replace' || operation.do === 'fdb-append') && operation.table === 'self';
}

function isFull(error: MeshError | undefined): boolean {
  const { cause } = error ?? {};
  return typeof cause === 'object' && cause !== null && 'name' in cause && cause.name === 'ENOSPC';
}

async function makeRoom(rtnl: Rtnl, link: string, places: number): Promise<void> {
  const index = (await rtnl.link(link))?.index;
  const { entries } = await rtnl.fdbWhere(
    (entry) => entry.link === index && entry.table === 'self' && isLearned(entry),
  );
  await rtnl.apply(
    entries
      .slice(0, places)
      .map(({ table, mac, state }) => ({ do: 'fdb-delete', table, link, mac, state, externLearn: false })),
  );
}
