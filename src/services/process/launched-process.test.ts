/** One supervised process: its record against damage and forgery, its end with all that it started, its output and readiness. */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../model/clock.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { LaunchedProcess } from './launched-process.ts';
import { findMark, isRunning, type ProcessMark, processMarkOf, signalProcess } from './process-mark.ts';
import { bootId } from './process-record.ts';
import { type ProcessSpec, specDigest } from './process-spec.ts';

const WAIT = { timeout: 30_000, interval: 10 };

let directory: string;
let journal: Journal;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mw-process-'));
  journal = new Journal(systemClock, 'agent', 'node1');
  onTestFinished(() => rmSync(directory, { recursive: true }));
});

function launched(): LaunchedProcess {
  const made = new LaunchedProcess({ name: 'child', directory, clock: systemClock, journal });
  onTestFinished(() => made.end());
  return made;
}

function spec(script: string, more: Partial<ProcessSpec> = {}): ProcessSpec {
  return { name: 'child', title: 'a child', argv: ['sh', '-c', script], ...more };
}

/** The process that a `LaunchedProcess` runs. */
function markOf({ running }: LaunchedProcess): ProcessMark {
  return processMarkOf(running?.pid ?? 0);
}

function recordFile(): string {
  return join(directory, 'child.process.json');
}

/** The pids that a script has written into a file, a line each. */
async function pidsIn(name: string, count: number): Promise<ProcessMark[]> {
  const read = () => {
    const text = existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : '';
    return text.split('\n').slice(0, -1);
  };
  await vi.waitFor(() => expect(read()).toHaveLength(count), WAIT);
  return read().map((pid) => processMarkOf(Number(pid)));
}

/** A process of another program. It must not get a signal. */
function bystander(): ProcessMark {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return processMarkOf(child.pid ?? 0);
}

const record = (mark: ProcessMark, more: object = {}) =>
  JSON.stringify({ ...mark, fingerprint: specDigest(spec('exec sleep 60')), label: '', boot: bootId(), ...more });

test('the next process of ours adopts the child, and knows whether its spec is the same', async () => {
  const first = launched();
  const wanted = spec('exec sleep 60', { label: 'server' });
  await first.start(wanted);
  const mark = markOf(first);
  await first.release();
  const second = launched();
  expect(second.running).toMatchObject({ ...{ pid: mark.pid, label: 'server' }, digest: specDigest(wanted) });
  expect(specDigest({ ...wanted, title: 'another title', stopSec: 1 })).toBe(specDigest(wanted));
  expect(specDigest({ ...wanted, env: { A: '1' } })).not.toBe(specDigest(wanted));
  // Nobody tells about the end of a process that is no child.
  signalProcess(mark, 'SIGKILL');
  await vi.waitFor(() => expect(second.running).toBeUndefined(), WAIT);
  expect(second.error).toMatchObject({ code: 'MESH_PROCESS_FAILED', message: 'child ended' });
  expect(existsSync(recordFile())).toBe(false);
});

test.each<[string, (mark: ProcessMark) => void, string?]>([
  ['garbage', () => writeFileSync(recordFile(), '{"pid": 1'), 'is no JSON'],
  ['pid 1', () => writeFileSync(recordFile(), record({ pid: 1, startTime: '1' })), 'does not fit its form at pid'],
  ['an earlier boot', (mark) => writeFileSync(recordFile(), record(mark, { boot: 'b' }))],
  [
    'another user',
    (mark) => {
      writeFileSync(recordFile(), record(mark));
      chownSync(recordFile(), 65534, 65534);
    },
    'belongs to the user 65534',
  ],
  [
    'everybody',
    (mark) => {
      writeFileSync(recordFile(), record(mark));
      chmodSync(recordFile(), 0o666);
    },
    'can be written by every user',
  ],
  [
    'a link',
    (mark) => {
      writeFileSync(join(directory, 'target'), record(mark));
      symlinkSync('target', recordFile());
    },
    'is a symbolic link',
  ],
  ['a directory', () => mkdirSync(recordFile()), 'is no plain file'],
])('a record of %s counts for nothing, and its process gets no signal', async (_kind, make, fault) => {
  const other = bystander();
  make(other);
  const before = existsSync(join(directory, 'target')) && readFileSync(join(directory, 'target'), 'utf8');
  const process = launched();
  expect(process.running).toBeUndefined();
  const told = fault === undefined ? [] : [`the record ${recordFile()} ${fault}`];
  expect(journal.recent().map(({ message }) => message)).toEqual(told);
  await process.end();
  expect(isRunning(other)).toBe(true);
  if (_kind === 'a directory') return;
  // A start replaces the record, and not the file that a link leads to.
  await process.start(spec('exec sleep 60'));
  expect(statSync(recordFile())).toMatchObject({ uid: 0, mode: 0o100640 });
  if (before !== false) expect(readFileSync(join(directory, 'target'), 'utf8')).toBe(before);
});

test('a process that got the number of an ended one is left alone', async () => {
  const other = bystander();
  writeFileSync(recordFile(), record({ ...other, startTime: '12345' }));
  const process = launched();
  expect(process.running).toBeUndefined();
  await process.end();
  process.signal('SIGKILL');
  expect(isRunning(other)).toBe(true);
});

test('the end takes all that the child has started: a deaf one, and one that has left the session', async () => {
  const process = launched();
  const pids = join(directory, 'pids');
  const deaf = `trap '' TERM; echo $$ >>${pids}; while :; do sleep 60; done`;
  const hasGroups = existsSync('/sys/fs/cgroup/cgroup.kill') || existsSync('/sys/fs/cgroup/unified/cgroup.procs');
  const away = hasGroups ? `setsid sh -c 'echo $$ >>${pids}; exec sleep 60' &` : '';
  await process.start(
    spec(`(trap '' TERM; sh -c "${deaf.replaceAll('$', '\\$')}") & sleep 0.2; ${away} exec sleep 60`),
  );
  const leader = markOf(process);
  const marks = [leader, ...(await pidsIn('pids', hasGroups ? 2 : 1))];
  await process.end();
  expect(marks.map(isRunning)).toEqual(marks.map(() => false));
  expect(existsSync(recordFile())).toBe(false);
});

test('a child that ignores its signal is killed after its time', async () => {
  const process = launched();
  await process.start(spec(`trap '' TERM; echo ready; while :; do sleep 0.05; done`, { stopSec: 0 }));
  const mark = markOf(process);
  await vi.waitFor(() => expect(readFileSync(join(directory, 'child.log'), 'utf8')).toBe('ready\n'), WAIT);
  await process.end();
  expect(isRunning(mark)).toBe(false);
});

test('what a killed child has left behind is killed before the next start', async () => {
  const process = launched();
  await process.start(spec(`sleep 60 & echo $! >${join(directory, 'pids')}; wait`));
  const [left] = await pidsIn('pids', 1);
  signalProcess(markOf(process), 'SIGKILL');
  await vi.waitFor(() => expect(process.running).toBeUndefined(), WAIT);
  await vi.waitFor(() => expect(left && isRunning(left)).toBe(false), WAIT);
});

test('a child that ends at once is started a bounded number of times, with its last words and a remedy', async () => {
  const process = launched();
  const wanted = spec('echo port in use >&2; exit 2', {
    remedies: [{ says: 'in use', remedy: 'Stop the other one.' }],
  });
  await process.start(wanted);
  await vi.waitFor(() => expect(process.error).toBeDefined(), WAIT);
  expect(process.error).toMatchObject({
    code: 'MESH_PROCESS_FAILED',
    message: 'child ended with 2; it last said: port in use',
    remedy: 'Stop the other one. It is started again automatically.',
  });
  // The next start has to wait, however often somebody asks for it.
  for (let asked = 0; asked < 20; asked++)
    await expect(process.start(wanted)).rejects.toMatchObject({ code: 'MESH_PROCESS_FAILED' });
  expect(journal.recent().filter(({ kind }) => kind === 'service started')).toHaveLength(1);
  expect(process.waitMs).toBeGreaterThan(0);
  // Another spec may start at once: somebody has mended something.
  await process.start(spec('exec sleep 60'));
  expect(process.running).toBeDefined();
});

test('the output of a child that floods it is bounded', async () => {
  const process = launched();
  await process.start(spec('exec yes', { outputMaxBytes: 10_000 }));
  const log = join(directory, 'child.log');
  await vi.waitFor(() => expect(existsSync(`${log}.1`)).toBe(true), WAIT);
  expect(statSync(`${log}.1`).size).toBeLessThanOrEqual(12_500);
  const { mtimeMs } = statSync(`${log}.1`);
  await vi.waitFor(() => expect(statSync(`${log}.1`).mtimeMs).toBeGreaterThan(mtimeMs), WAIT);
  await process.end();
});

test('a secret is read from standard input, and is in no argument and no record', async () => {
  const process = launched();
  await process.start(spec(`read word; echo "$word" >${join(directory, 'got')}; exec sleep 60`, { stdin: 'hush\n' }));
  await vi.waitFor(() => expect(readFileSync(join(directory, 'got'), 'utf8')).toBe('hush\n'), WAIT);
  expect(readFileSync(recordFile(), 'utf8')).not.toContain('hush');
  expect(readFileSync(`/proc/${process.running?.pid}/cmdline`, 'latin1')).not.toContain('hush');
});

test('a child runs as the user that its spec names', async () => {
  const process = launched();
  await process.start(spec('id -u; id -g; exec sleep 60', { user: { uid: 65534, gid: 65533 } }));
  await vi.waitFor(() => expect(readFileSync(join(directory, 'child.log'), 'utf8')).toBe('65534\n65533\n'), WAIT);
});

test.each<[string, (go: string) => Partial<ProcessSpec>]>([
  ['a file', (go) => ({ readiness: { kind: 'file', path: go } })],
  ['a line of its output', () => ({ readiness: { kind: 'line', text: 'at work' } })],
])('a child is ready when there is %s', async (_sign, readinessOf) => {
  const go = join(directory, 'go');
  const process = launched();
  const script = `while [ ! -e ${go} ]; do sleep 0.02; done; echo now at work; exec sleep 60`;
  writeFileSync(join(directory, 'child.log'), 'at work: an earlier one\n');
  await process.start(spec(script, readinessOf(go)));
  expect(process.running).toMatchObject({ ready: false });
  writeFileSync(go, '');
  await vi.waitFor(() => expect(process.running).toMatchObject({ ready: true }), WAIT);
  // It is known after an adoption.
  await vi.waitFor(() => expect(readFileSync(recordFile(), 'utf8')).toContain('"ready":true'), WAIT);
  await process.release();
  expect(launched().running).toMatchObject({ ready: true });
});

test('a child with a socket is ready when the socket sends its greeting, and one that never does is told', async () => {
  const path = join(directory, 'monitor.sock');
  let greeting = 'wait\n';
  const server = createServer((socket) => socket.end(greeting));
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  onTestFinished(() => void server.close());
  const process = launched();
  const readiness = { kind: 'socket', path, says: '"QMP"', withinSec: 0 } as const;
  await process.start(spec('exec sleep 60', { readiness }));
  await vi.waitFor(() => expect(process.error?.message).toBe('child runs, but is not ready after 0 s'), WAIT);
  expect(process.running).toMatchObject({ ready: false });
  greeting = '{"QMP": {"version": {}}}\n';
  await vi.waitFor(() => expect(process.running).toMatchObject({ ready: true }), WAIT);
});

test('a child reads again by a signal, and the record knows what it has read', async () => {
  const process = launched();
  const script = `trap 'echo read >>${join(directory, 'log')}' HUP; echo set; while :; do sleep 0.02; done`;
  const wanted = (digest: string) => spec(script, { rereads: { signal: 'SIGHUP', digest } });
  await process.start(wanted('a'));
  const { pid } = markOf(process);
  await vi.waitFor(() => expect(readFileSync(join(directory, 'child.log'), 'utf8')).toBe('set\n'), WAIT);
  await process.reread(wanted('b'));
  await vi.waitFor(() => expect(readFileSync(join(directory, 'log'), 'utf8')).toBe('read\n'), WAIT);
  expect(process.running).toMatchObject({ pid, reread: 'b', digest: specDigest(wanted('a')) });
  await process.release();
  expect(launched().running).toMatchObject({ pid, reread: 'b' });
});

test('a child that is not ready gets the signal to read again only then: before, the signal would end it', async () => {
  const process = launched();
  const go = join(directory, 'go');
  const log = join(directory, 'log');
  const begin = `while [ ! -e ${go} ]; do sleep 0.02; done; trap 'echo read >>${log}' HUP; echo at work`;
  const readiness = { kind: 'line', text: 'at work' } as const;
  const wanted = (digest: string) =>
    spec(`${begin}; while :; do sleep 0.02; done`, { readiness, rereads: { signal: 'SIGHUP', digest } });
  await process.start(wanted('a'));
  const mark = markOf(process);
  await process.reread(wanted('b'));
  // The order counts as carried out.
  expect(process.running).toMatchObject({ ready: false, reread: 'b' });
  expect(JSON.parse(readFileSync(recordFile(), 'utf8'))).toMatchObject({ reread: 'a' });
  writeFileSync(go, '');
  await vi.waitFor(() => expect(readFileSync(log, 'utf8')).toBe('read\n'), WAIT);
  expect(isRunning(mark)).toBe(true);
});

test('on a full disk the child runs, which is told, and it is adopted as soon as there is room', async () => {
  const disk = join(directory, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'meshwork-test', disk]);
  onTestFinished(() => void execFileSync('umount', ['--lazy', disk]));
  const on = () => {
    const made = new LaunchedProcess({ name: 'child', directory: disk, clock: systemClock, journal });
    onTestFinished(() => made.end());
    return made;
  };
  writeFileSync(join(disk, 'filler'), '');
  expect(() => writeFileSync(join(disk, 'filler'), Buffer.alloc(1_000_000))).toThrow('ENOSPC');
  const process = on();
  await process.start(spec('exec sleep 60'));
  const mark = markOf(process);
  expect(process.error).toMatchObject({ code: 'MESH_PROCESS_FAILED', message: expect.stringContaining('ENOSPC') });
  expect(readdirSync(disk).sort()).toEqual(['child.log', 'filler']);
  rmSync(join(disk, 'filler'));
  await vi.waitFor(() => expect(existsSync(join(disk, 'child.process.json'))).toBe(true), WAIT);
  await process.release();
  expect(on().running).toMatchObject({ pid: mark.pid });
});

test('a name leads to no other directory', async () => {
  await expect(launched().start(spec('true', { name: '../child' }))).rejects.toThrow(RangeError);
  expect(findMark(0)).toBeUndefined();
});
