/** A service is started, adopted, replaced and started again, with real processes. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../model/clock.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { findMark, isRunning, processMarkOf } from './process-mark.ts';
import { contentDigest } from './process-spec.ts';
import { Service, type ServiceSpec } from './service.ts';

function setUp() {
  const directory = mkdtempSync(join(tmpdir(), 'mw-service-'));
  const journal = new Journal(systemClock, 'host0', 'host0');
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const service = () => {
    const made = new Service({ name: 'sleeper', directory, clock: systemClock, journal });
    onTestFinished(() => made.stop());
    return made;
  };
  return { directory, service, kinds: () => journal.recent().map(({ kind }) => kind) };
}

function spec(fingerprint: string, script = 'echo $$; exec sleep 60'): ServiceSpec {
  const process = { name: 'sleeper', title: 'sleeper', reads: [fingerprint], label: `label ${fingerprint}` };
  return { process: { ...process, argv: ['sh', '-c', script] }, prepare: () => {} };
}

async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; ) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('not in time');
}

test('a service has its own session, is left running, and is adopted', async () => {
  const { directory, service, kinds } = setUp();
  const first = service();
  await first.run(spec('a'));
  const pid = first.running?.pid ?? 0;
  await until(() => readFileSync(join(directory, 'sleeper.log'), 'utf8') === `${pid}\n`);
  // The session id is the sixth field of proc_pid_stat(5).
  expect(readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[5]).toBe(String(pid));
  await first.release();
  const second = service();
  expect(second.running).toEqual({ pid, label: 'label a' });
  await second.run(spec('a'));
  expect(second.running?.pid).toBe(pid);
  // Another fingerprint means another process.
  await second.run(spec('b'));
  expect(second.running).toMatchObject({ label: 'label b' });
  expect(second.running?.pid).not.toBe(pid);
  const last = findMark(second.running?.pid ?? 0);
  await second.stop();
  expect(last !== undefined && isRunning(last)).toBe(false);
  expect(kinds()).toEqual(['service started', 'service adopted', 'service started']);
});

test('a process of the version before is adopted by its configuration, and replaced when that is another one', async () => {
  const { directory, service } = setUp();
  const first = service();
  const conf = contentDigest('the configuration');
  await first.run(spec(conf));
  const { pid = 0 } = first.running ?? {};
  await first.release();
  // That version kept pid, start time, the beginning of the digest of the configuration, and the label.
  const { startTime } = processMarkOf(pid);
  const former = { pid, startTime, fingerprint: conf.slice(0, 16), label: 'server' };
  writeFileSync(join(directory, 'sleeper.process.json'), JSON.stringify(former));
  const second = service();
  await second.run(spec(conf));
  expect(second.running).toEqual({ pid, label: 'server' });
  await second.run(spec(contentDigest('another one')));
  expect(second.running?.pid).not.toBe(pid);
});

test('a process that ends is started again, and the error has its last line', async () => {
  const { service, kinds } = setUp();
  const failing = service();
  await failing.run(spec('a', 'echo no such device >&2; exit 2'));
  const error = await until(() => failing.error);
  expect(error).toMatchObject({ code: 'MESH_PROCESS_FAILED', message: expect.stringContaining('no such device') });
  await until(() => kinds().filter((kind) => kind === 'service started').length === 2);
  await failing.stop();
  expect(failing.error).toBeUndefined();
});

test('a record that could not be written is written later, and the process is adopted', async () => {
  const { directory, service } = setUp();
  const inTheWay = join(directory, 'sleeper.process.json');
  mkdirSync(inTheWay);
  const first = service();
  await first.run(spec('a'));
  expect(first.error).toMatchObject({ code: 'MESH_PROCESS_FAILED', message: expect.stringContaining('EISDIR') });
  rmdirSync(inTheWay);
  await until(() => existsSync(inTheWay));
  const { running } = first;
  await first.release();
  expect(service().running).toEqual(running);
});

test('a missing program is an error, and not the end of this process', async () => {
  const { service } = setUp();
  const absent = service();
  await absent.run({ ...spec('a'), process: { ...spec('a').process, argv: ['/no/such/program'] } });
  expect((await until(() => absent.error)).message).toContain('/no/such/program is not installed');
});

test('the log of a process that goes on and on is bounded, also after an adoption', async () => {
  const { directory, service } = setUp();
  const log = join(directory, 'sleeper.log');
  const first = service();
  // It writes 2 MB each time it gets the signal. A signal before the trap is set would end it.
  const script = `trap 'head -c 2000000 /dev/zero | tr "\\0" x' USR1; echo ready; while :; do sleep 0.05; done`;
  await first.run(spec('a', script));
  const pid = first.running?.pid ?? 0;
  await until(() => existsSync(log) && readFileSync(log, 'utf8') === 'ready\n');
  const write = async () => {
    process.kill(pid, 'SIGUSR1');
    // A rotation in the middle of the 2 MB leaves the rest in the log, which is then below the limit.
    await until(() => existsSync(`${log}.1`) && statSync(log).size < 1_000_000);
    rmSync(`${log}.1`);
  };
  await write();
  await first.release();
  const second = service();
  await second.run(spec('a', script));
  await write();
  expect(second.running?.pid).toBe(pid);
});
