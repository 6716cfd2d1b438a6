/** The shell that starts a watcher again, with a clock that does not wait. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runToEnd } from '../../test/kit/command.ts';
import { KEEPER } from './nic-watch.ts';

test('a watcher that fails is started again beyond ten minutes: each second first, and then each minute', () => {
  const directory = mkdtempSync(join(tmpdir(), 'nic-watch-'));
  try {
    const at = (name: string): string => join(directory, name);
    // A function of the shell takes the place of the clock. The watcher succeeds at its 620th start.
    writeFileSync(at('watcher'), `#!/bin/sh\necho x >> ${at('starts')}\n[ $(wc -l < ${at('starts')}) -ge 620 ]\n`);
    chmodSync(at('watcher'), 0o755);
    const clock = `sleep() { echo $1 >> ${at('pauses')}; }; `;
    expect(runToEnd(['/bin/sh', '-c', clock + KEEPER, 'keeper', at('watcher')]).status).toBe(0);
    const pauses = readFileSync(at('pauses'), 'utf8').trim().split('\n');
    expect([pauses.filter((sec) => sec === '1').length, pauses.filter((sec) => sec === '60').length]).toEqual([
      599, 20,
    ]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
