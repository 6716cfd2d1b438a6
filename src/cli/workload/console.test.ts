/** The commands of consoles as users run them: on a terminal, against a control socket. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect, onTestFinished, test } from 'vitest';
import { BIN, commandLine } from '../../../test/cli/mesh.ts';
import { FakeConsole, placesIn } from '../../../test/kit/fake-console.ts';
import { listenAt } from '../../../test/kit/route-answer.ts';
import { Consoles } from '../../agent/console/consoles.ts';
import { systemClock } from '../../model/clock.ts';
import { CONSOLE_TAIL_BYTES } from '../../protocol/documents/workload/console.ts';
import { CONSOLE_ROUTES } from '../../protocol/routes/workload/console-routes.ts';

/** A command starts in a second, or later on a machine with other things to do. */
const WITHIN = { timeout: 30_000 };

/** host0 with the virtual machine `web` on node1. */
async function cluster() {
  const root = mkdtempSync(join(tmpdir(), 'console-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const consoles = new Consoles(placesIn(join(root, 'vm')), systemClock);
  onTestFinished(() => consoles.close());
  const guest = await FakeConsole.open(join(root, 'vm/0badcafe'));
  consoles.follow([{ id: '0badcafe', workload: 'web' }]);
  await expect.poll(() => consoles.list()[0]?.isOpen, WITHIN).toBe(true);
  mkdirSync(join(root, 'run/meshwork'), { recursive: true });
  const end = await listenAt(join(root, 'run/meshwork/control.sock'), CONSOLE_ROUTES, {
    'GET /v1/consoles': () => consoles.list().map((view) => ({ ...view, node: 'node1' })),
    'GET /v1/consoles/{node}/{workload}': ({ path, query }, open) =>
      consoles.watch(open, { ...query, workload: path.workload }),
    'PUT /v1/consoles/{node}/{workload}': async ({ path, body }) => {
      await consoles.type(path.workload, body.base64);
      return {};
    },
  });
  onTestFinished(end);
  return { root, guest, consoles };
}

/** A command on a terminal of its own. */
function onTerminal(root: string, ...words: readonly string[]) {
  const child = spawn('script', ['-qfec', [BIN, '--root', root, ...words].join(' '), '/dev/null']);
  onTestFinished(() => void child.kill('SIGKILL'));
  let shown = '';
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
  });
  return { type: (keys: string) => child.stdin.write(keys), ended: once(child, 'close'), shown: () => shown };
}

test('a console on a terminal: others are named, keys reach the guest, and only Ctrl-] leaves', async () => {
  const { root, guest, consoles } = await cluster();
  await guest.write('login: ');
  const one = onTerminal(root, 'workload', 'console', '-w', 'web');
  await expect.poll(one.shown, WITHIN).toContain('login: ');
  expect(one.shown()).toContain('Console of web on node1. Ctrl-] leaves. Nobody else is here.');
  one.type('root\r\x03');
  await expect.poll(() => guest.typed, WITHIN).toBe('root\r\x03');

  const two = onTerminal(root, 'workload', 'console', '-w', 'web', '--read-only');
  await expect.poll(two.shown, WITHIN).toMatch(/only to look\. Ctrl-\] leaves\. Also here: \S+@\S+ \(\d+ s\)\./);
  two.type('rm -rf /\r\x1d');
  expect(await two.ended).toEqual([0, null]);
  expect(guest.typed).toBe('root\r\x03');

  await guest.write('\x1b[31m# ');
  await expect.poll(one.shown, WITHIN).toContain('\x1b[31m# ');
  expect(one.shown()).not.toContain('Also here');
  one.type('\x1d');
  expect(await one.ended).toEqual([0, null]);
  await expect.poll(() => consoles.list()[0]?.viewers, WITHIN).toEqual([]);
}, 120_000);

test('a log has the last lines, without what a terminal obeys', async () => {
  const { root, guest } = await cluster();
  await guest.write('one\r\ntwo\r\n\x1b[1;31mthree\x1b[0m \x1b]0;title\x07\x07four\r\n/ # \x1b[6n');
  const words = ['--root', root, 'workload', 'log', '-w', 'web'];
  expect(await commandLine([...words, '-l', '2'])).toMatchObject({ code: 0, stderr: '' });
  expect((await commandLine([...words, '-l', '2'])).stdout).toMatch(/^three .*four\n\/ #\s?\n$/);
  expect((await commandLine(words)).stdout.split('\n').slice(0, 2)).toEqual(['one', 'two']);
  const none = await commandLine(['--root', root, 'workload', 'log', '-w', 'other']);
  expect(none).toMatchObject({ code: 6, stderr: expect.stringContaining('MESH_CONSOLE_NONE') });
});

test('a log ends, and is no longer than what a node keeps, whatever the node sends', async () => {
  const root = mkdtempSync(join(tmpdir(), 'console-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'run/meshwork'), { recursive: true });
  const view = { workload: 'web', id: '0badcafe', isOpen: true, keptBytes: 10, viewers: [], node: 'node1' };
  const end = await listenAt(join(root, 'run/meshwork/control.sock'), CONSOLE_ROUTES, {
    'GET /v1/consoles': () => [view],
    'GET /v1/consoles/{node}/{workload}': async (_, open) => {
      const endless = async function* () {
        for (;;) yield Buffer.alloc(16 * 1024, 'lie\n');
      };
      await pipeline(endless, open()).catch(() => undefined);
    },
    'PUT /v1/consoles/{node}/{workload}': () => ({}),
  });
  onTestFinished(end);
  const log = await commandLine(['--root', root, 'workload', 'log', '-w', 'web', '-l', '1000000']);
  expect(log).toMatchObject({ code: 0, stderr: '' });
  expect(log.stdout).toMatch(/^lie\nlie\n/);
  expect(log.stdout.length).toBeLessThanOrEqual(2 * CONSOLE_TAIL_BYTES);
}, 30_000);
