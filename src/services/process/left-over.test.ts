/** A program whose supervisor was killed is ended, and no other process. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../model/clock.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { endLeftOver } from './left-over.ts';
import { isRunning, processMarkOf } from './process-mark.ts';
import { Service } from './service.ts';

test('programs of an ended supervisor are ended, also one that ignores SIGTERM', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-left-over-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const journal = new Journal(systemClock, 'host0', 'host0');
  const marks = [];
  for (const [name, script] of [
    ['deaf', "trap '' TERM; while :; do sleep 1; done"],
    ['plain', 'exec sleep 60'],
  ] as const) {
    const service = new Service({ name, directory, clock: systemClock, journal });
    await service.run({ process: { name, title: name, argv: ['sh', '-c', script] }, prepare: () => {} });
    marks.push(processMarkOf(service.running?.pid ?? 0));
    await service.release();
  }
  // The number of a process that ended long ago is now that of another.
  const recycled = JSON.stringify({ pid: process.pid, startTime: '1', fingerprint: 'a', label: 'other' });
  writeFileSync(join(directory, 'recycled.process.json'), recycled);
  const ended = await endLeftOver(directory);
  expect(ended.map(({ name }) => name)).toEqual(['deaf', 'plain']);
  expect(marks.map(isRunning)).toEqual([false, false]);
  expect(readdirSync(directory).filter((name) => name.endsWith('.process.json'))).toEqual([]);
  expect(await endLeftOver(join(directory, 'nothing'))).toEqual([]);
});
