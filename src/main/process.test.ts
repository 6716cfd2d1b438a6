/** What a process does with an error that nothing catches. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

const SCRIPT = `
import { Server } from 'node:net';
import { systemClock } from '${new URL('../model/clock.ts', import.meta.url)}';
import { openJournal, surviveFaults } from '${new URL('./process.ts', import.meta.url)}';

const { journal } = openJournal(systemClock, 'agent', 'node1');
surviveFaults(journal);
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
