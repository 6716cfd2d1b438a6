/** Machines as copies of a template, and labs that are killed while they start. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { commandDirectory } from '../../../src/image/node/program-files.ts';
import { findTemplate, listTemplates } from '../../../src/lab/templates/template-shelf.ts';
import { LONG } from '../../kit/long.ts';
import { takeTurnToEmulate } from '../80-boot/emulation-lane.ts';
import { until } from '../until.ts';
import { UP_MS, VmLabUser } from './vm-lab-user.ts';

takeTurnToEmulate();

const user = new VmLabUser(`t${process.pid}`);
const LONG_TEST = { timeout: UP_MS + 60_000 };
const CLOCK_WITHIN_SEC = 30;

afterAll(() => user[Symbol.asyncDispose]());

/** An overlay that no other lab has: so its template is the test's own. @returns the word of the option */
function ownOverlay(): string {
  const tree = join(user.place, 'own/etc/lab.d');
  mkdirSync(tree, { recursive: true });
  writeFileSync(join(tree, 'own.conf'), `export LAB_OWN=${user.name}\n`);
  return './own';
}

/** Memory that a machine has for itself, and its share of what it has with others. */
function memoryOf(pid: number): { readonly ownMb: number; readonly shareMb: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mb = (word: string) => Number(new RegExp(`^${word}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1_024;
  return { ownMb: mb('Private_Dirty'), shareMb: mb('Pss') };
}

interface Machine {
  readonly name: string;
  readonly pid: number;
  readonly start: { readonly template?: string; readonly cold?: string };
}

function machines(): Machine[] {
  return JSON.parse(user.lab('status', '--json').stdout).machines;
}

let key = '';

test('machines of a template are made once, and each is itself', LONG_TEST, () => {
  const up = user.lab('up', 'default', '--nodes', '2', '--routers', '0', '--overlay', ownOverlay());
  expect(up.status, up.stderr).toBe(0);
  expect(up.stderr).toContain('making a template of the machines');
  const [one, two] = machines();
  expect(one?.start).toEqual(two?.start);
  key = one?.start.template ?? '';
  expect(user.lab('status').stdout).toMatch(/^vm-001 +node +runs, \d+ +template +192\.168\.0\.1 192\.168\.1\.1$/m);
  expect(user.lab('template', 'list').stdout).toMatch(new RegExp(`^${key.slice(0, 12)} +97 MiB .* own$`, 'm'));
  const own = [
    'hostname',
    'cat /etc/meshwork/machine',
    'cat /proc/sys/kernel/random/uuid',
    'cat /sys/class/net/eth1/address',
  ];
  const said = ['vm-001', 'vm-002'].map(
    (vm) => user.on(vm, 'sh', '-c', `${own.join('; ')}; date +%s; echo $LAB_OWN`).stdout,
  );
  const [first = [], second = []] = said.map((text) => text.trim().split('\n'));
  for (const [index, what] of own.entries()) expect(first[index], what).not.toBe(second[index]);
  expect([first[0], first[3], first[5]]).toEqual(['vm-001', '02:00:00:01:01:01', user.name]);
  expect(Math.abs(Number(first[4]) - Date.now() / 1_000)).toBeLessThan(CLOCK_WITHIN_SEC);
  expect(user.on('vm-001', 'ping', '-c1', '-W5', '192.168.1.2').status).toBe(0);
  expect(user.on('vm-002', 'ping', '-c1', '-W5', 'fd00::c0a8:101').status).toBe(0);
  for (const { pid, name } of machines()) expect(memoryOf(pid).ownMb, name).toBeLessThan(70);
});

test('a further machine and the next lab are copies of the same template', LONG_TEST, () => {
  const before = statSync(listTemplates().find((each) => each.key === key)?.memory ?? '').ino;
  expect(user.lab('scale', '3')).toMatchObject({ status: 0, stdout: 'vm-003 answers\n' });
  expect(machines().map(({ start }) => start.template)).toEqual([key, key, key]);
  expect(user.lab('down').status).toBe(0);
  expect(user.leftovers()).toEqual([]);
  const { status, stderr } = user.lab('up', 'default', '--nodes', '1', '--routers', '0', '--overlay', './own');
  expect(status, stderr).toBe(0);
  expect(stderr).not.toContain('making');
  expect(machines().map(({ start }) => start.template)).toEqual([key]);
  expect(statSync(listTemplates().find((each) => each.key === key)?.memory ?? '').ino).toBe(before);
  expect(user.lab('down').status).toBe(0);
});

test('where a copy fails, the machine boots cold, and the status says why', LONG_TEST, async () => {
  const template = await findTemplate(key);
  truncateSync(template?.state ?? '', 1_000);
  const { status, stderr } = user.lab('up', 'default', '--nodes', '1', '--routers', '0', '--overlay', './own');
  expect(status, stderr).toBe(0);
  expect(machines()[0]?.start.cold).toMatch(/^the copy has failed: /);
  expect(user.lab('status').stdout).toMatch(/^Booted cold: vm-001, because the copy has failed: /m);
  expect(await findTemplate(key)).toBeUndefined();
  for (const { pid, name } of machines()) expect(memoryOf(pid).ownMb, name).toBeLessThan(150);
  expect(user.lab('down').status).toBe(0);
  const cold = user.lab('up', 'default', '--nodes', '1', '--routers', '0', '--cold');
  expect(cold.status, cold.stderr).toBe(0);
  expect(machines()[0]?.start).toEqual({ cold: 'that was asked for' });
  expect(user.lab('down').status).toBe(0);
  expect(user.leftovers()).toEqual([]);
});

const has = (...path: readonly string[]) => existsSync(join(user.directory, ...path));
/** Where a template is made. */
const makes = (...path: readonly string[]) =>
  existsSync(user.directory) &&
  readdirSync(user.directory).some((name) => name.startsWith('template-') && has(name, ...path));
/** Moments of a start, in their order. */
const MOMENTS: readonly (readonly [name: string, isThere: () => boolean])[] = [
  ['the lab has a record', () => has('lab.json')],
  ['the lab has its topology', () => has('cluster.json')],
  ['host0 runs', () => has('host0', 'host0.process.json')],
  ['the agent runs', () => has('host0', 'agent.process.json')],
  ['a template has a directory', () => makes()],
  ['the emulator of a template runs', () => makes('qmp.sock')],
  ['a template boots', () => user.drafts().length > 0 && makes('console.log')],
  ['a machine has a record', () => has('vm-001', 'vm.json')],
  ['an emulator runs', () => has('vm-001', 'qmp.sock')],
  [
    'a machine is ready',
    () => has('vm-001', 'console.log') && statSync(join(user.directory, 'vm-001/console.log')).size > 0,
  ],
];

test.each(LONG ? MOMENTS : MOMENTS.slice(5, 6))(
  'killed when %s, a lab leaves nothing behind its down',
  LONG_TEST,
  async (moment, isThere) => {
    user.lab('template', 'remove');
    const words = ['lab', 'up', 'default', '--nodes', '2', '--routers', '0', '--overlay', ownOverlay()];
    const child = spawn(join(commandDirectory, 'mesh'), words, { cwd: user.place, env: user.env, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('close', resolve));
    await until(moment, UP_MS, isThere);
    child.kill('SIGKILL');
    await ended;
    expect(user.leftovers()).not.toEqual([]);
    expect(user.lab('down').status).toBe(0);
    expect(user.leftovers()).toEqual([]);
  },
);
