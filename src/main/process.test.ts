/** What a process does with an error that nothing catches. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SmallDisk } from '../../test/system/small-disk.ts';

const SCRIPT = `
import { Server } from 'node:net';
import { systemClock } from '${new URL('../model/clock.ts', import.meta.url)}';
import { openJournal, hasStarted } from '${new URL('./process.ts', import.meta.url)}';

const { journal } = openJournal(systemClock, 'agent', 'node1');
hasStarted(journal, { message: 'started' });
process.once('beforeExit', () => console.log(JSON.stringify({ findings: journal.faults.health() })));
setImmediate(() => { throw new TypeError('in a timer'); });
void Promise.reject(new TypeError('in a promise'));
new Server().emit('error', new Error('of a socket'));
`;

test('a fault is told, is a finding, and does not end the process', () => {
  const words = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', SCRIPT];
  const out = execFileSync(process.execPath, words, { encoding: 'utf8' });
  const lines = out
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  const told = (text: string) =>
    expect.objectContaining({ kind: 'fault', level: 'error', message: expect.stringContaining(text) });
  expect(lines).toEqual([
    expect.objectContaining({ kind: 'started' }),
    told('of a socket'),
    told('in a promise'),
    told('in a timer'),
    {
      findings: [
        expect.objectContaining({ code: 'MESH_INTERNAL', severity: 'warning', object: 'a part of the process' }),
      ],
    },
  ]);
});

const TALKER = `
import { systemClock } from '${new URL('../model/clock.ts', import.meta.url)}';
import { openJournal, hasStarted } from '${new URL('./process.ts', import.meta.url)}';

const { journal } = openJournal(systemClock, 'agent', 'node1');
hasStarted(journal, { message: 'started' });
for (let n = 0; n < 200; n++) {
  journal.record({ kind: 'kind ' + n, message: 'x'.repeat(200) });
  process.emitWarning('a warning of Node ' + n);
  console.error('x'.repeat(200));
}
setTimeout(() => process.exit(journal.faults.health().length === 0 ? 7 : 8), 100);
`;

test.each([
  ['appended to, as init systems do', 'a'],
  ['written from its beginning', 'w'],
])('a full disk under a log that is %s ends no process', (_, flags) => {
  const top = mkdtempSync(join(tmpdir(), 'mw-full-'));
  const disk = new SmallDisk(join(top, 'logs'), 256 * 1024);
  disk.mount();
  const log = openSync(join(top, 'logs/agent.log'), flags);
  onTestFinished(() => {
    closeSync(log);
    disk.unmount();
    rmSync(top, { recursive: true });
  });
  disk.fill();
  const words = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', TALKER];
  const { status, signal } = spawnSync(process.execPath, words, { stdio: ['ignore', log, log] });
  expect([status, signal]).toEqual([7, null]);
});
