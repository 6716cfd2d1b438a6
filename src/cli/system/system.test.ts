/** `mesh system` starts and stops the daemons, and shows their state and their logs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FakeDaemon } from '../../../test/cli/fake-daemon.ts';
import { MESH_WITH_STAND_INS, mesh } from '../../../test/cli/mesh.ts';
import { systemClock } from '../../model/clock.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { rotateLog } from '../../protocol/journal/log-rotation.ts';
import { isRunning, type ProcessMark, processMarkOf } from '../../services/process/process-mark.ts';
import { Service } from '../../services/process/service.ts';
import { lastLines, newLines } from './log-file.ts';

let root: string;

beforeAll(() => {
  process.env.TZ = 'UTC';
});

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mesh-system-'));
});

afterEach(async () => {
  await system('stop');
  await rm(root, { recursive: true });
});

async function system(line: string) {
  const { stdout, code } = await mesh(['--root', root, 'system', ...line.split(' ')]);
  return { stdout: stdout.replaceAll(/pid \d+/g, 'pid N'), code };
}

function noJournal(): Journal {
  return new Journal(systemClock, 'host0', 'host0');
}

function recordedPid(name: string): number {
  return Number(readFileSync(join(pathsBelow(root).run, `${name}.pid`), 'utf8').split(' ')[0]);
}

test('a machine with a host0 directory gets both processes', async () => {
  mkdirSync(join(root, 'host0'));
  expect(await system('start')).toEqual({
    stdout: "Started host0's daemon (pid N).\nStarted the agent (pid N).\n",
    code: 0,
  });
  expect((await system('status')).code).toBe(0);
  expect(await system('logview')).toEqual({
    stdout:
      'Nov 21 06:12:01  info     host0  started           --root --host0-dir\n' +
      'Nov 21 06:12:01  info     agent  started           --root --on-host0\n',
    code: 0,
  });
});

test('so does a machine with --host0-dir; a directory that does not exist is an error', async () => {
  const host0 = join(root, 'drive/host0');
  await expect(system(`start --host0-dir ${host0}`)).rejects.toMatchObject({ code: 'MESH_OBJECT_UNKNOWN' });
  mkdirSync(host0, { recursive: true });
  const { stdout } = await system(`start --host0-dir ${host0}`);
  expect(stdout).toBe("Started host0's daemon (pid N).\nStarted the agent (pid N).\n");
  const line = readFileSync(`/proc/${recordedPid('host0')}/cmdline`, 'utf8').split('\0');
  expect(line.at(line.indexOf('--host0-dir') + 1)).toBe(host0);
});

test('any other machine gets only the agent, and a second start changes nothing', async () => {
  expect((await system('start --host0 10.11.0.1')).stdout).toBe('Started the agent (pid N).\n');
  const pid = recordedPid('agent');
  expect((await system('start --host0 10.11.0.1')).stdout).toBe('Already running: the agent (pid N).\n');
  expect(recordedPid('agent')).toBe(pid);
});

test('a node without an address of host0 is an error', async () => {
  await expect(system('start')).rejects.toMatchObject({ code: 'MESH_HOST0_UNKNOWN', exitCode: 2 });
});

test.each([
  ['a name', 'box.local', 'MESH_HOST0_UNKNOWN', '--host0: "box.local" is a name'],
  ['an IPv6 address', 'fd00::1', 'MESH_HOST0_UNKNOWN', '--host0: "fd00::1" is an IPv6 address'],
  ['the loopback', '127.0.0.1', 'MESH_HOST0_UNKNOWN', '--host0: 127.0.0.1 is not the address of another machine'],
])('%s as the address of host0 is refused before anything starts', async (_, host0, code, message) => {
  await expect(system(`start --host0 ${host0}`)).rejects.toMatchObject({ code, message, exitCode: 2 });
  expect((await system('stop')).stdout).toBe('Nothing was running here.\n');
});

test('another address than that of the running agent is refused, and so is any address on host0', async () => {
  await system('start --host0 10.11.0.1,10.11.1.1');
  await expect(system('start --host0 10.12.0.1')).rejects.toMatchObject({
    code: 'MESH_ALREADY_RUNNING',
    message: 'the agent runs already, and knows host0 at 10.11.0.1, 10.11.1.1',
    remedy: 'To use 10.12.0.1, stop the agent first: `mesh system stop`.',
  });
  mkdirSync(join(root, 'host0'));
  await expect(system('start --host0 10.11.0.1')).rejects.toMatchObject({ code: 'MESH_USAGE' });
});

test('a process that ends while it starts is reported with its last line', async () => {
  await expect(system('start --host0 192.0.2.1')).rejects.toMatchObject({
    code: 'MESH_NOT_RUNNING',
    message: 'the agent ended while it was starting',
    remedy: expect.stringContaining('192.0.2.1 is no host'),
  });
});

test('stop ends the processes, and says that forwarding goes on', async () => {
  await system('start --host0 10.11.0.1');
  const mark = processMarkOf(recordedPid('agent'));
  const { stdout } = await system('stop');
  expect(stdout).toContain('Stopped the agent (pid N).');
  expect(stdout).toContain('Forwarding stays in the kernel');
  // The process table may keep the entry until pid 1 reaps it.
  expect(isRunning(mark)).toBe(false);
  expect(await system('stop')).toEqual({ stdout: 'Nothing was running here.\n', code: 0 });
});

test('a second process in the foreground is refused, and takes nothing from the first', async () => {
  await system('start --host0 10.11.0.1');
  const pid = recordedPid('agent');
  const words = [MESH_WITH_STAND_INS, '--root', root, 'agent', 'run', '--host0', '10.11.0.1'];
  const second = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  const said = text(second.stderr);
  expect(await once(second, 'exit')).toEqual([1, null]);
  expect(await said).toContain('the agent runs already (pid ');
  expect(recordedPid('agent')).toBe(pid);
  expect((await system('stop')).stdout).toContain('Stopped the agent');
});

/** A program that a daemon has started, and left when the daemon was killed. @param place below the state directory */
async function leftProgram(name: string, place: string): Promise<ProcessMark> {
  const directory = join(pathsBelow(root).state, place);
  const service = new Service({ name, directory, clock: systemClock, journal: noJournal() });
  await service.run({ process: { name, title: 'sleep', argv: ['sleep', '60'] }, prepare: () => {} });
  await service.release();
  return processMarkOf(service.running?.pid ?? 0);
}

test('stop ends the programs that a daemon left when it was killed', async () => {
  const program = await leftProgram('dnsmasq-eth1', 'boot');
  expect(await system('stop --left-over')).toEqual({
    stdout: 'Ended what was left running: dnsmasq-eth1 (pid N).\n',
    code: 0,
  });
  expect(isRunning(program)).toBe(false);
});

test('stop ends what the agent has started, unless the agent itself goes on', async () => {
  const program = await leftProgram('dnsmasq-blue', 'services/processes');
  // The service of host0 has stopped, and the agent is started again this second.
  expect((await system('stop --left-over')).stdout).toBe('Nothing was running here.\n');
  const agent = new FakeDaemon({});
  await agent.listen(pathsBelow(root).agentSock);
  await expect(system('stop')).rejects.toMatchObject({ code: 'MESH_NOT_RUNNING' });
  await agent.close();
  expect(isRunning(program)).toBe(true);
  expect((await system('stop')).stdout).toBe('Ended what was left running: dnsmasq-blue (pid N).\n');
  expect(isRunning(program)).toBe(false);
});

test('stop leaves a process that another program started', async () => {
  const agent = new FakeDaemon({});
  await agent.listen(pathsBelow(root).agentSock);
  await expect(system('stop')).rejects.toMatchObject({
    code: 'MESH_NOT_RUNNING',
    message: 'the agent runs, but was not started by `mesh system start`',
  });
  await agent.close();
});

test('stop never signals a recycled pid', async () => {
  const { run } = pathsBelow(root);
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, 'agent.pid'), `${process.pid} 1\n`);
  expect((await system('stop')).stdout).toBe('Nothing was running here.\n');
});

test('status says what is missing, with exit code 3', async () => {
  expect(await system('status')).toEqual({
    stdout:
      'PROCESS  STATE    PID  VERSION  UP\nagent    stopped    -  -        -\n\nStart what is missing with `mesh system start`.\n',
    code: 3,
  });
});

test('the last lines of a log: events in columns, other lines unchanged', async () => {
  const { logs } = pathsBelow(root);
  mkdirSync(logs, { recursive: true });
  writeFileSync(join(logs, 'agent.log'), 'one\ntwo\n{"half": \nthree\x1b[2J\n');
  expect((await system('logview -n 2')).stdout).toBe('{"half": \nthree\\x1b[2J\n');
  expect((await system('logview -n 1 --json')).stdout).toBe('three\\x1b[2J\n');
});

test('the logs of both processes are merged in the order of time', async () => {
  const { logs } = pathsBelow(root);
  mkdirSync(logs, { recursive: true });
  const line = (source: string, second: number) =>
    `{"seq":${second},"time":"2026-11-21T06:12:0${second}.000Z","level":"info","source":"${source}","node":"node1","kind":"said","message":"m"}\n`;
  writeFileSync(join(logs, 'host0.log'), `${line('host0', 1)}a trace\n${line('host0', 4)}`);
  writeFileSync(join(logs, 'agent.log'), `${line('agent', 2)}${line('agent', 3)}`);
  const shown = (await system('logview -n 4')).stdout.trimEnd().split('\n');
  expect(shown.map((text) => text.split(/ {2,}/)[2] ?? text)).toEqual(['a trace', 'agent', 'agent', 'host0']);
});

describe('following a log', () => {
  let file: string;
  let lines: AsyncGenerator<string>;

  beforeEach(() => {
    const { logs } = pathsBelow(root);
    mkdirSync(logs, { recursive: true });
    file = join(logs, 'agent.log');
    writeFileSync(file, 'old\n');
    lines = newLines(file, logs);
  });

  afterEach(() => lines.return(undefined));

  /** The first new line. `change` is repeated until then, since the follower may begin to watch after the first change. */
  async function seenAfter(change: () => void): Promise<string> {
    const next = lines.next();
    const again = setInterval(change, 20);
    try {
      return (await next).value;
    } finally {
      clearInterval(again);
    }
  }

  test('shows new lines, and no old ones', async () => {
    expect(await seenAfter(() => appendFileSync(file, 'fresh\n'))).toBe('fresh');
  });

  test('waits for the end of a line', async () => {
    let half = '';
    const write = () => {
      appendFileSync(file, half === '' ? 'half' : ' and whole\n');
      half = 'written';
    };
    expect(await seenAfter(write)).toMatch(/and whole$/);
  });

  test('reads a truncated log from its start', async () => {
    await seenAfter(() => appendFileSync(file, 'long '.repeat(100).concat('\n')));
    let seen: string;
    do seen = await seenAfter(() => writeFileSync(file, 'after\n'));
    while (seen.startsWith('long'));
    expect(seen).toBe('after');
  });

  test('loses no line of a log that is rotated', async () => {
    expect(await seenAfter(() => appendFileSync(file, 'first\n'))).toBe('first');
    // Both are there before the follower looks again.
    appendFileSync(file, `${'x'.repeat(1_000)}\nlast before\n`);
    rotateLog(file, 1_000);
    appendFileSync(file, 'first after\n');
    const seen: string[] = [];
    for await (const line of lines) if (seen.push(line) && line === 'first after') break;
    expect(seen.filter((line) => line !== 'first')).toEqual(['x'.repeat(1_000), 'last before', 'first after']);
    expect(await lastLines(file, 3)).toEqual(['x'.repeat(1_000), 'last before', 'first after']);
  });
});

test('in the foreground the command becomes the process, and stop finds it', async () => {
  const command = spawn(
    process.execPath,
    [MESH_WITH_STAND_INS, '--root', root, 'agent', 'run', '--host0', '10.11.0.1', '--name', 'node1'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [started] = await once(command.stdout, 'data');
  expect(JSON.parse(String(started))).toMatchObject({ kind: 'started', message: '--root --host0 --name' });
  expect(recordedPid('agent')).toBe(command.pid);
  const ended = once(command, 'exit');
  expect((await system('stop')).stdout).toContain('Stopped the agent');
  await ended;
});
