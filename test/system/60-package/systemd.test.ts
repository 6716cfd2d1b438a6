/**
 * The installed package where systemd runs: the services, the commands that start, stop and judge them, and the DHCP server
 * that may not stay behind.
 */
import { linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { debianPackage } from '../../../packaging/debian.ts';
import { temporaryNetns } from '../../../src/kernel/netns.ts';
import { shownCommands } from '../../cli/console-block.ts';
import { ip } from '../../kit/namespaces.ts';
import { forAllTests } from '../for-all-tests.ts';
import { pageOf } from '../typist.ts';
import { until } from '../until.ts';
import { SystemdMachine } from './systemd-machine.ts';

/** Two processes start, and the segment is watched for other servers first. */
const DEADLINE_MS = 60_000;
const SERVICES = ['meshwork-host0', 'meshwork-agent'];

const PAGE = 'docs/install.md';
/** The lab builds the image; here it would take a minute. */
const BUILDS_IMAGE = 'mesh system image node';

const shared = forAllTests();
let place: string;
let machine: SystemdMachine;
let node: SystemdMachine;

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'mw-systemd-package-'));
  shared.defer(() => rmSync(place, { recursive: true, force: true }));
  const deb = join(place, 'packages/meshwork_0.1.0_amd64.deb');
  mkdirSync(dirname(deb));
  await debianPackage(deb, { work: join(place, 'tree'), version: '0.1.0', compression: 1 });
  linkSync(deb, join(place, basename(deb)));
  const segment = temporaryNetns();
  shared.defer(() => segment.close());
  ip(segment.path, 'link add lan0 up type bridge');
  const plans = [
    { name: 'alpha', address: '10.11.0.1/24', segment: segment.path },
    { name: 'beta', address: '10.11.0.2/24', segment: segment.path },
  ];
  const opened = await Promise.all(plans.map(async (plan) => shared.use(await SystemdMachine.open(place, plan))));
  [machine, node] = opened as [SystemdMachine, SystemdMachine];
});

/** The commands below a heading of the page, in its order. */
function shownBelow(heading: string): string[] {
  const [, section = ''] = pageOf(PAGE).split(`\n## ${heading}\n`);
  return shownCommands(section.split('\n## ')[0] ?? '').map(({ text }) => text);
}

/** Types a command of the page in the directory of the checkout, which both machines see. */
function type(on: SystemdMachine, command: string): Promise<string> {
  return on.mustRun('sh', '-c', `cd ${place} && ${command}`);
}

async function write(file: string, text: string): Promise<void> {
  await machine.mustRun('sh', '-c', `mkdir -p "$(dirname ${file})" && printf %s '${text}' >${file}`);
}

async function mesh(...words: readonly string[]) {
  const { stdout, stderr, code } = await machine.run('mesh', ...words);
  return { said: stdout + stderr, code };
}

function isWell(on = machine): Promise<true> {
  return until('all is well', DEADLINE_MS, async () => (await on.run('mesh', 'status')).code === 0);
}

/** The pid of the dnsmasq that serves machines that boot; empty while none runs. */
async function dnsmasq(): Promise<string> {
  return (await machine.run('pgrep', '--exact', 'dnsmasq')).stdout.trim();
}

async function serves(): Promise<string> {
  return await until('a dnsmasq serves', DEADLINE_MS, async () => (await dnsmasq()) || undefined);
}

async function mainPid(service: string): Promise<string> {
  return (await machine.mustRun('systemctl', 'show', '--property', 'MainPID', '--value', service)).trim();
}

test('the page of the installation makes a host0, and names the command that enables the services', async () => {
  const commands = shownBelow('On host0');
  const enabling = commands.findIndex((command) => command.startsWith('systemctl'));
  for (const command of commands.slice(0, enabling)) await type(machine, command);
  const { said, code } = await mesh('status');
  expect(said).toContain('remedy: Start it with `systemctl enable --now meshwork-agent`');
  expect(code).toBe(3);
  for (const command of commands.slice(enabling).filter((each) => each !== BUILDS_IMAGE)) await type(machine, command);
  expect(commands).toContain(BUILDS_IMAGE);
});

test('the page makes another machine a node, and both reach each other', async () => {
  // The page has Alpine's commands beside those of Debian.
  const commands = shownBelow('On every other machine').filter((command) => !/^(apk|rc-)/.test(command));
  // As the page says of containers.
  await node.mustRun('sh', '-c', 'mkdir -p /etc/meshwork && echo 2b1c0d3e >/etc/meshwork/machine');
  for (const command of commands.slice(0, -1)) await type(node, command);
  await isWell(node);
  expect(commands.at(-1)).toBe('mesh status');
  await type(node, 'mesh ping manage host0');
  expect(await machine.mustRun('mesh', 'node', 'list')).toMatch(/^beta +.* online +10\.11\.0\.2 +manage/m);
});

test('the services never give up, and their logs are shown', async () => {
  expect((await mesh('status')).said).not.toContain('not running');
  await isWell();
  for (const service of SERVICES) {
    const words = ['show', '--property', 'StartLimitIntervalUSec', '--value', service];
    expect(await machine.mustRun('systemctl', ...words)).toBe('0\n');
  }
  const { said } = await mesh('system', 'logview', '-n', '200');
  expect(said).toMatch(/info +host0 +started/);
  expect(said).toMatch(/info +agent +started/);
});

test('a setting that is changed is told as not in force, with the command that takes it up', async () => {
  await write('/host0/host0.conf', 'segment_ports="eth0"\nport_settle_sec="0"\nboot="auto"\nboot_mode="eth0=server"\n');
  const restart = 'systemctl restart meshwork-host0';
  expect((await mesh('status')).said).toContain(restart);
  expect((await mesh('system', 'boot')).said).toContain(restart);
  expect((await mesh('system', 'configure')).said).toContain(restart);
  await machine.mustRun('systemctl', 'restart', 'meshwork-host0');
  await serves();
  await isWell();
});

test('dnsmasq goes on while the daemon restarts and when it crashes', async () => {
  const before = await serves();
  await machine.mustRun('systemctl', 'restart', 'meshwork-host0');
  await isWell();
  const pid = await mainPid('meshwork-host0');
  await machine.mustRun('kill', '-KILL', pid);
  await until(
    'systemd starts it again',
    DEADLINE_MS,
    async () => !['0', pid].includes(await mainPid('meshwork-host0')),
  );
  await isWell();
  expect(await dnsmasq()).toBe(before);
});

test('a second agent is refused, and the commands still find the first', async () => {
  const pid = await mainPid('meshwork-agent');
  const second = await mesh('agent', 'run');
  expect(second.said).toContain(`the agent runs already (pid ${pid})`);
  expect(second.said).toContain('systemctl stop meshwork-agent');
  await machine.mustRun('sh', '-c', 'rm /run/meshwork/*');
  // Without socket and pid file, only the lock is left.
  expect((await mesh('agent', 'run')).code).toBe(1);
  expect(await mainPid('meshwork-agent')).toBe(pid);
  await isWell();
});

test('the service of host0 ends: status tells it, and no DHCP server stays behind', async () => {
  await machine.mustRun('systemctl', 'stop', 'meshwork-host0');
  expect(await dnsmasq()).toBe('');
  const { said, code } = await mesh('status');
  expect(said).toContain('Start it with `systemctl start meshwork-host0`');
  expect(code).toBe(1);
});

test('stop and start go through systemd', async () => {
  expect((await mesh('system', 'start')).said).toMatch(
    /^Started host0's daemon \(pid \d+\)\.\nAlready running: the agent/,
  );
  await serves();
  expect((await mesh('system', 'stop')).said).toMatch(
    /^Stopped the agent \(pid \d+\) and host0's daemon \(pid \d+\)\./,
  );
  expect(await dnsmasq()).toBe('');
  const { stdout } = await machine.run('systemctl', 'is-active', ...SERVICES);
  expect(stdout).toBe('inactive\ninactive\n');
});

test('a removal of the package ends all processes, also what a daemon that cannot start has left', async () => {
  await mesh('system', 'start');
  expect((await machine.run('systemctl', 'is-active', ...SERVICES)).stdout).toBe('active\nactive\n');
  await serves();
  // The daemon is killed, and the next one finds a fault in its settings.
  await write('/host0/host0.conf', 'boot="perhaps"\n');
  await machine.mustRun('kill', '-KILL', await mainPid('meshwork-host0'));
  expect(await dnsmasq()).not.toBe('');
  const [, remove] = shownBelow('Upgrade and remove');
  await type(machine, `echo y | ${remove}`);
  expect(await dnsmasq()).toBe('');
  expect((await machine.run('pgrep', '--full', '/usr/lib/meshwork')).stdout).toBe('');
});
