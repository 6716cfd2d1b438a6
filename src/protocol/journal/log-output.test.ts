/** The file that a log goes to, as an init system opens it. */
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openLogOutput } from './log-output.ts';
import { olderLogOf, rotateLog } from './log-rotation.ts';

function setUp(flags = 'a') {
  const directory = mkdtempSync(join(tmpdir(), 'mw-log-'));
  const file = join(directory, 'agent.log');
  const descriptor = openSync(file, flags);
  onTestFinished(() => {
    closeSync(descriptor);
    rmSync(directory, { recursive: true });
  });
  return { directory, file, older: olderLogOf(file), descriptor };
}

test('a log takes little more than twice its size, and its last lines are kept', () => {
  const { file, older, descriptor } = setUp();
  const write = openLogOutput({ descriptor, maxBytes: 10_000 });
  for (let n = 0; n < 5_000; n++) {
    write(`line ${n}\n`);
    expect(statSync(file).size).toBeLessThan(13_000);
  }
  expect(statSync(older).size).toBeLessThanOrEqual(12_500);
  const lines = `${readFileSync(older, 'utf8')}${readFileSync(file, 'utf8')}`.trimEnd().split('\n');
  expect(lines.at(-1)).toBe('line 4999');
  expect(lines.length).toBeGreaterThan(1_000);
  expect(lines.slice(1)).toEqual(lines.slice(1).map((_, at) => `line ${5_000 - lines.length + 1 + at}`));
});

test('what was written before the start counts, however much it is', () => {
  const { file, older, descriptor } = setUp();
  writeFileSync(file, 'x'.repeat(1_000_000), { flag: 'a' });
  openLogOutput({ descriptor, maxBytes: 10_000 });
  expect(statSync(file).size).toBe(0);
  expect(statSync(older)).toMatchObject({ size: 12_500, mode: 0o100640 });
});

test('a file that is not appended to is left alone: its writer would leave a hole', () => {
  const { file, older, descriptor } = setUp('w');
  const write = openLogOutput({ descriptor, maxBytes: 10 });
  // It goes to the standard output of this process, as without a file.
  write('');
  writeFileSync(file, 'x'.repeat(100));
  openLogOutput({ descriptor, maxBytes: 10 });
  expect(statSync(file).size).toBe(100);
  expect(existsSync(older)).toBe(false);
});

test('a line that the file system refuses is lost, and the process goes on', () => {
  const { file } = setUp();
  // No line can be written to a file that is open for reading, as none can on a full disk.
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_APPEND);
  onTestFinished(() => closeSync(descriptor));
  const write = openLogOutput({ descriptor, maxBytes: 10 });
  expect(() => write('a line\n')).not.toThrow();
});

test.each([
  ['a link', symlinkSync],
  ['a second name', linkSync],
] as const)('%s of another file in the place of a log leaves that file as it is', (_, put) => {
  const { directory, file, older } = setUp();
  const victim = join(directory, 'victim');
  writeFileSync(victim, 'x'.repeat(100));
  rmSync(file, { force: true });
  put(victim, file);
  rotateLog(file, 10);
  expect(statSync(victim).size).toBe(100);
  expect(existsSync(older)).toBe(false);
});

test('a link in the place of the older log is not followed', () => {
  const { directory, file, older } = setUp();
  const victim = join(directory, 'victim');
  writeFileSync(victim, 'mine');
  symlinkSync(victim, older);
  symlinkSync(victim, `${older}.new`);
  writeFileSync(file, 'x'.repeat(100));
  rotateLog(file, 10);
  expect(readFileSync(victim, 'utf8')).toBe('mine');
  expect(readFileSync(older, 'utf8')).toBe('x'.repeat(12));
});
