/** The control socket gives out one key a machine, the next one only on demand, and takes keys away. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { routeAnswer } from '../../../test/kit/route-answer.ts';
import { MachineKeys } from '../../controller/machines/machine-keys.ts';
import { channelPsk } from '../../model/machine-key.ts';
import { routeServer } from '../../protocol/calls/route-server.ts';
import type { MeshEvent } from '../../protocol/journal/event.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { MACHINE_ROUTES } from '../../protocol/routes/machine-routes.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { GivenKeyShape, readKeyFile } from '../../protocol/shapes/key-file.ts';
import { machineHandlers } from './machine-handlers.ts';

const URL = '/v1/machines/10eff964/key';

async function served(secret: Uint8Array | undefined) {
  const journal = new Journal(new ManualClock(), 'host0', 'host0');
  const events: MeshEvent[] = [];
  journal.subscribe((event) => events.push(event));
  const keys = await MachineKeys.open({ store: new MemoryStore(), journal, secret });
  const boots = {
    log: { views: () => [], subscribe: () => () => {} },
    machines: async () => [],
    addCard: async () => [],
  };
  const server = routeServer(MACHINE_ROUTES, machineHandlers(boots, keys), {
    onFault: (thrown) => {
      throw thrown;
    },
  });
  const ask = async (method: 'POST' | 'DELETE', body?: object, url = URL) => {
    const { status, text } = await routeAnswer(server, `${method} ${url}`, { body, from: undefined });
    return { status, text, code: text === '' ? undefined : JSON.parse(text).code };
  };
  return { keys, events, ask };
}

test('a key is given once, renewed on demand, and taken away', async () => {
  const { keys, events, ask } = await served(Buffer.alloc(32, 1));
  const { text } = await ask('POST');
  const file = readKeyFile(readDocument(GivenKeyShape, text).document?.text ?? '').document;
  expect(file?.identity).toBe('10eff964.1');
  expect(keys.pskOf('10eff964.1')).toEqual(channelPsk(file?.key ?? new Uint8Array()));
  expect(await ask('POST', {})).toMatchObject({ status: 409, code: 'MESH_KEY_GIVEN' });
  expect((await ask('POST', { renew: true })).text).toContain('10eff964.2');
  expect((await ask('DELETE')).status).toBe(204);
  expect([keys.pskOf('10eff964.1'), keys.pskOf('10eff964.2')]).toEqual([undefined, undefined]);
  expect((await ask('POST', { renew: false })).status).toBe(200);
  expect(JSON.stringify(events)).not.toContain(Buffer.from(file?.key ?? '').toString('hex'));
});

test('wrong requests and a host0 without a secret are refused', async () => {
  const { ask } = await served(undefined);
  for (const url of ['/v1/machines/10EFF964/key', '/v1/machines/host0/key', '/v1/machines/default/key']) {
    expect(await ask('POST', {}, url)).toMatchObject({ status: 400, code: 'MESH_USAGE' });
  }
  expect(await ask('POST', { renew: 'yes' })).toMatchObject({ status: 400 });
  expect(await ask('POST')).toMatchObject({ status: 500, code: 'MESH_KEY_DAMAGED' });
});
