import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { reportThenEnd, writeReport } from './vm-test.ts';

test('a report that cannot be written keeps no lab running, and no other report away', async () => {
  const done: string[] = [];
  const file = join(tmpdir(), 'mw-no-such-directory', 'result.xml');
  const ended = reportThenEnd(
    [() => writeReport(file, 'text'), () => done.push('consoles')],
    async () => void done.push('down'),
  );
  await expect(ended).rejects.toMatchObject({ code: 'MESH_LAB_FAILED', object: file });
  expect(done).toEqual(['consoles', 'down']);
});
