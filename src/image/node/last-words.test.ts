/** Why a program of a node has ended, as the boot scripts tell host0: by busybox, as on the node. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { BOOT_SCRIPTS } from './program-files.ts';

function lastWords(log: string, lines: number, status: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'mw-words-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'agent.log');
  writeFileSync(file, log);
  const dmesg = "dmesg() { echo '[7.1] Out of memory: Killed process 91 (node)'; }";
  const script = `. ${BOOT_SCRIPTS}/common; ${dmesg}; last_words ${file} ${lines} ${status}`;
  return spawnSync('busybox', ['sh', '-c', script], { encoding: 'utf8' }).stdout;
}

const CRASH = `starting
FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
----- Native stack trace -----
 1: 0xb8ced1 node::OOMErrorHandler(char const*, v8::OOMDetails const&)
 2: 0x7f1c [libc.so.6]
`;

test('too little memory is told, wherever the program says so, or the kernel for it', () => {
  expect(lastWords(CRASH, 0, 134)).toMatch(/^FATAL ERROR: .* JavaScript heap out of memory\n$/);
  expect(lastWords('write: no space left on device\n  at x\n', 0, 1)).toBe('write: no space left on device\n');
  expect(lastWords('running\n', 0, 137)).toBe('[7.1] Out of memory: Killed process 91 (node)\n');
});

test('otherwise the last line is told, and what an earlier run said does not count', () => {
  expect(lastWords('one\ntwo\n', 0, 1)).toBe('two\n');
  expect(lastWords(`${CRASH}MESH_INTERNAL: another reason\n`, CRASH.split('\n').length - 1, 1)).toBe(
    'MESH_INTERNAL: another reason\n',
  );
  // The log was cut off meanwhile.
  expect(lastWords('short\n', 500, 1)).toBe('short\n');
});
