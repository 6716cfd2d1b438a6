/** The stream of a workload ends with the workload. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { listenAt } from '../../../test/kit/route-answer.ts';
import { workloadHost0 } from '../../../test/kit/workload-host0.ts';
import { workload } from '../../../test/kit/workloads.ts';
import { WORKLOAD_ROUTES } from '../../protocol/routes/workload/workload-routes.ts';
import { workloadHandlers } from './workload-handlers.ts';

test('the stream of a workload, by its name or its uuid, ends when the workload is deleted', async () => {
  const { orders } = await workloadHost0();
  await orders.put(workload);
  const root = await mkdtemp(join(tmpdir(), 'mesh-follow-'));
  const socketPath = join(root, 'sock');
  const close = await listenAt(socketPath, WORKLOAD_ROUTES, workloadHandlers(orders));
  onTestFinished(async () => {
    await close();
    await rm(root, { recursive: true });
  });
  const streams = await Promise.all(
    [workload.name, workload.uuid].map(
      async (name): Promise<IncomingMessage[]> =>
        once(get({ socketPath, path: `/v1/workloads/${name}/follow` }), 'response'),
    ),
  );
  const told = streams.flat().map((stream) => text(stream));
  await orders.remove(workload.name, {});
  for (const events of await Promise.all(told)) expect(events).toContain('"state":"new"');
});
