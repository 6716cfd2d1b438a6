/** When the inventory is sent to host0, and when not. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { manage } from '../../../test/kit/networks.ts';
import type { Inventory, InventoryReport } from '../../protocol/documents/inventory.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { InventoryNotice } from './inventory-notice.ts';
import type { HttpAnswer } from './transport.ts';

const SMALL: Inventory = { system: {}, cpu: { threads: 1 }, memoryBytes: 1, disks: [], nics: [] };
const LARGE: Inventory = { ...SMALL, memoryBytes: 2 };

function world() {
  const clock = new ManualClock();
  const bodies: unknown[] = [];
  const state = { inventory: SMALL, answer: { status: 204, body: '' } as HttpAnswer | Error };
  const notice = new InventoryNotice({
    clock,
    journal: new Journal(clock, 'agent', 'node'),
    instance: 'boot',
    read: () => state.inventory,
    transport: {
      exchange: async (target, { method, path, body = '' }) => {
        expect([target, method, path]).toEqual([{ host: 'fd42:2345:1234:9abc::1', port: 8000 }, 'PUT', '/inventory']);
        const { instance, ...inventory } = JSON.parse(body) as InventoryReport;
        expect(instance).toBe('boot');
        bodies.push(inventory);
        if (state.answer instanceof Error) throw state.answer;
        return state.answer;
      },
      openStream: () => ({ close: () => {} }),
    },
  });
  return { clock, bodies, state, notice };
}

test('it is sent once after joining, and again when the hardware has changed or host0 may have been replaced', async () => {
  const { clock, bodies, state, notice } = world();
  notice.lookSoon();
  await clock.pass(60_000);
  expect(bodies).toEqual([]);
  notice.joined(manage);
  await clock.pass(3_600_000);
  notice.lookSoon();
  await clock.pass(60_000);
  expect(bodies).toEqual([SMALL]);
  state.inventory = LARGE;
  for (let event = 0; event < 9; event++) notice.lookSoon();
  await clock.pass(60_000);
  expect(bodies).toEqual([SMALL, LARGE]);
  notice.joined(manage);
  await clock.pass(1_000);
  expect(bodies).toEqual([SMALL, LARGE, LARGE]);
  state.inventory = SMALL;
  await clock.pass(3_600_000);
  expect(bodies).toHaveLength(4);
  notice.close();
});

test('it is sent again until host0 has it', async () => {
  const { clock, bodies, state, notice } = world();
  state.answer = new Error('no answer');
  notice.joined(manage);
  await clock.pass(7_000);
  state.answer = { status: 503, body: '{}' };
  await clock.pass(5_000);
  state.answer = { status: 204, body: '' };
  await clock.pass(60_000);
  expect(bodies).toHaveLength(4);
  notice.close();
});

test('it is sent only once to a host0 that does not know inventories', async () => {
  const { clock, bodies, state, notice } = world();
  state.answer = { status: 404, body: '' };
  notice.joined(manage);
  await clock.pass(3_600_000);
  expect(bodies).toHaveLength(1);
  notice.close();
});

test('steady link changes do not put it off', async () => {
  const { clock, bodies, state, notice } = world();
  notice.joined(manage);
  await clock.pass(100);
  state.inventory = LARGE;
  for (let second = 0; second < 10; second++) {
    notice.lookSoon();
    await clock.pass(1_000);
  }
  expect(bodies).toEqual([SMALL, LARGE]);
  notice.close();
});
