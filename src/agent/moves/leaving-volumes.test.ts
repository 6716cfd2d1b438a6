/** The list of the files that leave with a workload. That they arrive is in api/channel/volume-copy.test.ts. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { workloadNamed } from '../../../test/kit/workloads.ts';
import { WORKLOAD_PARTS_MAX } from '../../model/workload/workload.ts';
import { NODE_VOLUME_ROUTES } from '../../protocol/routes/workload/volume-routes.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { ArrivalOrderShape } from '../../protocol/shapes/workload/volume-copy-shape.ts';
import { LeavingVolumes } from './leaving-volumes.ts';

const NAME = { workload: '1a2b3c4d', word: '00000000000000a1' };

test('a workload with firmware variables, and as many volumes as it may have, each over an image of its own, moves', async () => {
  const root = mkdtempSync(join(tmpdir(), 'mw-leaving-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const fileNamed = (name: string): string => {
    writeFileSync(join(root, name), name);
    return join(root, name);
  };
  const volumes = Array.from({ length: WORKLOAD_PARTS_MAX }, (_, index) => {
    return { id: `disk${index}`, type: 'qcow2', path: `disk${index}.qcow2`, sizeBytes: 1024 * 1024 } as const;
  });
  const workload = workloadNamed('web', { volumes, firmware: 'uefi' });
  const leaving = new LeavingVolumes({
    stopped: () => ({ kind: 'vm', id: NAME.workload, generation: 1, workload, ports: {}, wanted: 'stopped' }),
    variablesOf: () => fileNamed('variables'),
    settle: () => Promise.resolve(),
    volumes: {
      found: ({ path }) => {
        const sha256 = createHash('sha256').update(path).digest('hex');
        return Promise.resolve({
          path: fileNamed(path),
          base: { path: fileNamed(sha256), sha256, sizeBytes: 64, format: 'raw', diskBytes: 64 },
        });
      },
    },
  });
  const files = await leaving.list(NAME.workload);
  expect(files).toHaveLength(2 * WORKLOAD_PARTS_MAX + 1);
  const { form } = NODE_VOLUME_ROUTES['GET /volumes'].answer;
  expect(readDocument(form, JSON.stringify(files))).toEqual({ document: files });
  const order = { ...NAME, files };
  expect(readDocument(ArrivalOrderShape, JSON.stringify(order))).toEqual({ document: order });
});
