import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../model/clock.ts';
import { QEMU } from '../../services/qemu/qemu-spec.ts';
import { QmpClient } from '../../services/qemu/qmp-client.ts';
import { withBoundedFiles } from './vm-emulator.ts';
import { consoleText } from './vm-trouble.ts';

test('the log of a console ends at its bound, and the emulator goes on', { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-emulator-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const [log, monitor] = [join(directory, 'console.log'), join(directory, 'monitor')];
  // What was said before fills the log up to its last bytes.
  writeFileSync(log, 'x'.repeat(1_020));
  const words = ['-machine', 'pc,accel=tcg,graphics=off', '-m', '16', '-nodefaults', '-display', 'none', '-S'];
  const console = ['-chardev', `null,id=console,logfile=${log},logappend=on`, '-serial', 'chardev:console'];
  const control = ['-qmp', `unix:${monitor},server=on,wait=off`];
  const [program = '', ...rest] = withBoundedFiles([QEMU, ...words, ...console, ...control], 1_024);
  const child = spawn(program, rest, { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  await expect.poll(() => existsSync(monitor), { timeout: 30_000 }).toBe(true);
  const client = await QmpClient.connect(monitor, systemClock);
  await client.execute('cont');
  // The firmware speaks on the serial console.
  await expect.poll(() => statSync(log).size, { timeout: 30_000 }).toBe(1_024);
  expect(await client.execute('query-status')).toMatchObject({ status: 'running' });
  await client.execute('quit').catch(() => undefined);
  client.close();
  expect(await ended).toEqual([0, null]);
  expect(statSync(log).size).toBe(1_024);
});

test('of a long console the beginning and the end are read', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-console-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'console.log');
  expect(consoleText(file)).toBe('');
  writeFileSync(file, 'short\n');
  expect(consoleText(file)).toBe('short\n');
  writeFileSync(file, `lab: ready\n${'noise\n'.repeat(100_000)}Kernel panic\n`);
  const text = consoleText(file);
  expect(text).toMatch(/^lab: ready\n[\s\S]*Kernel panic\n$/);
  expect(text.length).toBeLessThan(140_000);
});
