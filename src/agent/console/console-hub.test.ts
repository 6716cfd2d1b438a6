import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { FakeConsole, placesIn } from '../../../test/kit/fake-console.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { systemClock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { CONSOLE_TAIL_BYTES } from '../../protocol/documents/workload/console.ts';
import { ByteTail } from './byte-tail.ts';
import { type ConsoleQuery, Consoles } from './consoles.ts';

function place(): { directory: string; vm: string; consoles: Consoles } {
  const directory = mkdtempSync(join(tmpdir(), 'console-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const consoles = new Consoles(placesIn(directory), systemClock);
  onTestFinished(() => consoles.close());
  return { directory, vm: join(directory, '0badcafe'), consoles };
}

const OWNER = { id: '0badcafe', workload: 'web' } as const;
const WATCH: ConsoleQuery = { workload: 'web', tail: CONSOLE_TAIL_BYTES, follow: true, writes: false, who: 'test' };

/** A viewer that reads, or stands still. */
function viewer(consoles: Consoles, more: Partial<ConsoleQuery> = {}, reads = true) {
  const out = new PassThrough({ highWaterMark: 1024 });
  let text = '';
  if (reads) out.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  const done = consoles.watch(() => out, { ...WATCH, ...more });
  return { out, done, text: () => text };
}

test('many look at a console, and one who comes later sees the last output', async () => {
  const { vm, consoles } = place();
  const guest = await FakeConsole.open(vm);
  consoles.follow([OWNER]);
  await expect.poll(() => consoles.list()[0]?.isOpen, PATIENCE).toBe(true);
  const one = viewer(consoles);
  await guest.write('login: ');
  await expect.poll(one.text, PATIENCE).toBe('login: ');
  const two = viewer(consoles, { who: 'second', writes: true });
  await guest.write('# ');
  await expect.poll(two.text, PATIENCE).toBe('login: # ');
  await expect.poll(one.text, PATIENCE).toBe('login: # ');
  expect(consoles.list()).toMatchObject([
    {
      workload: 'web',
      viewers: [
        { who: 'test', writes: false },
        { who: 'second', writes: true },
      ],
    },
  ]);

  await consoles.type('web', Buffer.from('ls\r\x00\xff', 'latin1').toString('base64'));
  await consoles.type('0badcafe', Buffer.from('x').toString('base64'));
  await expect.poll(() => guest.typed, PATIENCE).toBe('ls\r\x00\xffx');

  one.out.destroy();
  await one.done;
  expect(consoles.list()[0]?.viewers).toHaveLength(1);
});

test('a viewer that does not read stops neither the guest nor another viewer, and is told what it lacks', async () => {
  const { vm, consoles } = place();
  const guest = await FakeConsole.open(vm);
  consoles.follow([OWNER]);
  await expect.poll(() => consoles.list()[0]?.isOpen, PATIENCE).toBe(true);
  const slow = viewer(consoles, {}, false);
  const quick = viewer(consoles);
  const piece = Buffer.alloc(64 * 1024, 'x');
  for (let turn = 0; turn < 64; turn++) await guest.write(piece);
  await expect.poll(() => quick.text().length, PATIENCE).toBe(64 * piece.length);
  expect(slow.out.writableLength).toBeLessThan(2 * 1024 * 1024);

  let text = '';
  slow.out.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  await expect.poll(() => slow.out.writableLength, PATIENCE).toBe(0);
  await guest.write('end');
  await expect.poll(() => text.endsWith('end'), PATIENCE).toBe(true);
  expect(text).toMatch(/\[mesh: \d+ bytes are left out here/);
});

test('the output from before the agent, and of an emulator that has ended, is there', async () => {
  const { vm, consoles } = place();
  mkdirSync(vm);
  writeFileSync(join(vm, 'console.log'), 'booting\n');
  consoles.follow([OWNER]);
  const log = viewer(consoles);
  await expect.poll(log.text, PATIENCE).toBe('booting\n');
  expect(await consoles.type('web', 'eA==').catch(MeshError.from)).toMatchObject({ code: 'MESH_CONSOLE_CLOSED' });

  appendFileSync(join(vm, 'console.log'), 'written while nobody listened\n');
  const guest = await FakeConsole.open(vm);
  await expect.poll(log.text, PATIENCE).toBe('booting\nwritten while nobody listened\n');
  await guest.write('up\n');
  await expect.poll(log.text, PATIENCE).toBe('booting\nwritten while nobody listened\nup\n');
  guest.close();
  await expect.poll(() => consoles.list()[0]?.isOpen, PATIENCE).toBe(false);

  // The next emulator has an empty log.
  writeFileSync(join(vm, 'console.log'), '');
  const next = await FakeConsole.open(vm);
  await expect.poll(() => consoles.list()[0]?.isOpen, PATIENCE).toBe(true);
  await next.write('again\n');
  await expect.poll(() => log.text().endsWith('up\nagain\n'), PATIENCE).toBe(true);

  const short = viewer(consoles, { follow: false, tail: 6 });
  await short.done;
  await expect.poll(short.text, PATIENCE).toBe('again\n');
  consoles.follow([]);
  await log.done;
  await expect(consoles.watch(() => new PassThrough(), WATCH)).rejects.toMatchObject({ code: 'MESH_CONSOLE_NONE' });
});

test.each([
  ['a link', (log: string, victim: string) => symlinkSync(victim, log)],
  ['a pipe', (log: string) => void execFileSync('mkfifo', [log])],
])('%s in the place of the log is not read, and the console is served', async (_, put) => {
  const { directory, vm, consoles } = place();
  const guest = await FakeConsole.open(vm);
  const victim = join(directory, 'victim');
  writeFileSync(victim, 'a secret');
  put(join(vm, 'console.log'), victim);
  consoles.follow([OWNER]);
  await expect.poll(() => consoles.list()[0]?.isOpen, PATIENCE).toBe(true);
  const one = viewer(consoles);
  await guest.send('login: ');
  await expect.poll(one.text, PATIENCE).toBe('login: ');
});

test('a guest that does not read its console takes no more, and nothing grows', async () => {
  const { vm, consoles } = place();
  const guest = await FakeConsole.open(vm);
  guest.isReading = false;
  consoles.follow([OWNER]);
  await expect.poll(() => consoles.list()[0]?.isOpen, PATIENCE).toBe(true);
  const base64 = Buffer.alloc(4096, 'x').toString('base64');
  const types = async (): Promise<MeshError> => {
    for (;;) {
      const [error] = await Promise.all(
        Array.from({ length: 32 }, () => consoles.type('web', base64).catch(MeshError.from)),
      );
      if (error !== undefined) return error;
    }
  };
  expect(await types()).toMatchObject({
    code: 'MESH_CONSOLE_CLOSED',
    message: 'the console of web does not read what is typed',
  });
}, 15_000);

test('a tail keeps the last bytes', () => {
  const tail = new ByteTail(5);
  for (const text of ['ab', 'cde', 'f', '', 'ghijklm']) tail.push(Buffer.from(text));
  expect(tail.last(100).toString()).toBe('ijklm');
  expect(tail.last(2).toString()).toBe('lm');
  tail.push(Buffer.from('n'));
  expect([tail.last(100).toString(), tail.length]).toEqual(['jklmn', 5]);
});
