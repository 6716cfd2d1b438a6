/** A hook that never returns, as a real process: its own order waits for it and is undone by its time limit; others are not delayed. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { orderHost0, ToldHooks } from '../../../test/kit/order-host0.ts';
import { Hooks } from '../../services/hook/hooks.ts';
import { findMark, isRunning } from '../../services/process/process-mark.ts';

/** The hook of one network sleeps for ever, in a child that ignores SIGTERM; those of the others end at once. */
const HOOK = `#!/bin/sh
[ "$MESH_PHASE:$MESH_OBJECT" = before:stuck ] || exit 0
trap '' TERM
echo $$ >"$(dirname "$0")/../pid"
sleep 1000
sleep 1000
`;
const DEADLINE_MS = 30_000;

test('only its order waits, until the time limit ends the hook and undoes the order', async () => {
  const place = mkdtempSync(join(tmpdir(), 'mw-hook-'));
  onTestFinished(() => rmSync(place, { recursive: true }));
  const directory = join(place, 'hooks');
  mkdirSync(directory, { mode: 0o755 });
  writeFileSync(join(directory, 'order-network'), HOOK, { mode: 0o755 });
  chmodSync(place, 0o755);
  const real = new Hooks({ directory, recordDirectory: join(place, 'records'), timeLimitMs: 3_000 });
  const hooks = new ToldHooks();
  hooks.answer = (call) => real.run(call);
  const host0 = await orderHost0(new MemoryStore(), { hooks });
  if (host0 === undefined) throw new Error('host0 did not start');
  const { orders, catalogue } = host0;
  const stateOf = (id: number) => orders.show(id).state;
  await orders.create({ wish: { kind: 'network', name: 'stuck' } });
  await vi.waitFor(() => expect(readFileSync(join(place, 'pid'), 'utf8')).toMatch(/^\d+\n$/), DEADLINE_MS);
  const mark = findMark(Number(readFileSync(join(place, 'pid'), 'utf8')));
  for (const name of ['red', 'green']) await orders.create({ wish: { kind: 'network', name } });
  await vi.waitFor(() => expect([stateOf(2), stateOf(3)]).toEqual(['done', 'done']), DEADLINE_MS);
  await vi.waitFor(() => expect(stateOf(1)).toBe('undone'), DEADLINE_MS);
  expect(orders.show(1).error?.code).toBe('MESH_HOOK_LATE');
  expect(mark !== undefined && isRunning(mark)).toBe(false);
  expect(
    catalogue
      .views()
      .map(({ network }) => network.name)
      .toSorted(),
  ).toEqual(['green', 'red']);
  await orders.close();
}, 90_000);
