/** The records of labs: which labs there are, and what is said of one that is not there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { claimLab, keepLab, labRecords, noLab, stateOfLab } from './record.ts';

test('labs are listed by name, with their state, and named where a lab is missing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-labs-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  expect(labRecords(join(directory, 'nowhere'))).toEqual([]);
  for (const name of ['red', 'blue', 'grey']) {
    mkdirSync(join(directory, name));
    await claimLab(join(directory, name), { name, nodes: 3, segments: 2 });
  }
  await keepLab(join(directory, 'blue'));
  writeFileSync(join(directory, 'grey/lab.json'), '{}');
  const records = labRecords(directory);
  expect(records.map((record) => [record.name, stateOfLab(record)])).toEqual([
    ['blue', 'kept'],
    ['red', 'in use'],
  ]);
  expect(noLab('green', records)).toMatchObject({
    code: 'MESH_OBJECT_UNKNOWN',
    exitCode: 6,
    remedy: 'These labs exist: blue, red. Name one with --name.',
  });
  expect(noLab('green', []).remedy).toBe('There are no labs here. `mesh lab up --keep --name green` starts one.');
  const [first] = records;
  expect(first && stateOfLab({ ...first, kept: false, owner: { pid: 2 ** 22 + 1, startTime: '1' } })).toBe(
    'left behind',
  );
});
