/** The console of a real emulator: typed into, read by one who stands still, and found again by the next agent. */
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { endedProcess } from '../../../test/kit/ended-process.ts';
import { guestCommandLine, smallGuest } from '../../../test/kit/small-guest/small-guest.ts';
import { systemClock } from '../../model/clock.ts';
import { CONSOLE_TAIL_BYTES } from '../../protocol/documents/workload/console.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { Launcher } from '../../services/process/launcher.ts';
import { qemuProcess } from '../../services/qemu/qemu-process.ts';
import { Consoles } from './consoles.ts';

const NOBODY = { uid: 65534, gid: 65534 };
/** A guest boots in two seconds; the machine may have other things to do. */
const WAIT = { timeout: 90_000, interval: 50 };

function viewer(consoles: Consoles, reads: boolean) {
  const out = new PassThrough({ highWaterMark: 1024 });
  let text = '';
  if (reads) {
    out.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
  }
  const query = { workload: 'vm1', tail: CONSOLE_TAIL_BYTES, follow: true, writes: true, who: 'test' };
  return { out, done: consoles.watch(() => out, query), text: () => text };
}

test('a guest is typed into, never waits for a viewer, and its output is there for the next agent', async () => {
  const guest = await smallGuest();
  const root = mkdtempSync(join(tmpdir(), 'mw-console-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const directory = join(root, '0badcafe');
  mkdirSync(directory);
  chownSync(directory, NOBODY.uid, NOBODY.gid);
  const launcher = new Launcher({
    directory: join(root, 'records'),
    clock: systemClock,
    journal: new Journal(systemClock, 'agent', 'node1'),
  });
  onTestFinished(async () => {
    await endedProcess(launcher, 'vm1');
    await launcher.release();
  });
  const append = guestCommandLine(guest, { name: 'vm1' });
  const spec = {
    name: 'vm1',
    uuid: '6f5bbd0e-7bb5-4a2e-9f43-1f2cf6a0a002',
    accelerator: 'tcg',
    cpuModel: 'max',
    threads: 1,
    memoryBytes: 112 * 1024 * 1024,
    cards: [],
    disks: [],
    firmware: { kind: 'bios' },
    boot: { kernel: guest.kernel, initrd: guest.initrd, append },
    screen: false,
    user: NOBODY,
    paused: false,
    consoleLog: join(root, 'vm1.console.log'),
    pidFile: join(root, 'vm1.pid'),
  } as const;
  launcher.start(qemuProcess(spec, { name: 'vm1', directory, outputFile: join(root, 'vm1.log'), taps: [] }));

  const placeOf = () => ({ socketPath: join(directory, 'console.sock'), logPath: spec.consoleLog });
  const owners = [{ id: '0badcafe', workload: 'vm1' }];
  const consoles = new Consoles(placeOf, systemClock);
  onTestFinished(() => consoles.close());
  consoles.follow(owners);
  const type = (words: string): Promise<void> => consoles.type('vm1', Buffer.from(`${words}\r`).toString('base64'));
  const one = viewer(consoles, true);
  await vi.waitFor(() => expect(one.text()).toContain('guest: ready vm1'), WAIT);
  await vi.waitFor(() => expect(one.text()).toContain('# '), WAIT);
  await type('echo $((6*7))x');
  await vi.waitFor(() => expect(one.text()).toContain('42x'), WAIT);

  const slow = viewer(consoles, false);
  await type(
    'i=0; while [ $i -lt 3000 ]; do echo "a line of output, number $i of 3000"; i=$((i+1)); done; echo en$((1))d',
  );
  await vi.waitFor(() => expect(one.text()).toContain('en1d'), WAIT);
  // Each byte came once, and in order.
  const numbers = [...one.text().matchAll(/line of output, number (\d+) of 3000\r/g)].map(([, number]) =>
    Number(number),
  );
  expect(numbers).toEqual(Array.from({ length: 3000 }, (_, number) => number));
  expect(slow.out.writableLength).toBeGreaterThan(100_000);

  await type('(sleep 1; echo la$((1))te) &');
  await vi.waitFor(() => expect(one.text()).toContain('sleep 1'), WAIT);
  consoles.close();
  await Promise.all([one.done, slow.out.destroy() && slow.done]);
  const log = () => readFileSync(spec.consoleLog, 'latin1');
  await vi.waitFor(() => expect(log()).toContain('la1te'), WAIT);
  const next = new Consoles(placeOf, systemClock);
  onTestFinished(() => next.close());
  next.follow(owners);
  const two = viewer(next, true);
  await vi.waitFor(() => expect(two.text()).toContain('la1te'), WAIT);
  await vi.waitFor(() => expect(next.list()[0]?.isOpen).toBe(true), WAIT);
  await next.type('vm1', Buffer.from('echo a$((7*7))b\r').toString('base64'));
  await vi.waitFor(() => expect(two.text()).toContain('a49b'), WAIT);
}, 300_000);
