/** The .deb is installed, upgraded and removed by dpkg on a running mesh, and no packet is lost. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { debianPackage } from '../../../packaging/debian.ts';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { hostEnvironment, spawnInside } from '../../../src/lab/hosts/host-process.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import {
  isRunning,
  type ProcessMark,
  processMarkOf,
  signalProcess,
} from '../../../src/services/process/process-mark.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Pings } from '../pings.ts';
import { until } from '../until.ts';
import { DebianRoot } from './debian-root.ts';
import { readUnit } from './unit-file.ts';

/** In the order of starting. */
const PROGRAMS = { 'meshwork-host0.service': 'host0', 'meshwork-agent.service': 'agent' } as const;
type UnitName = keyof typeof PROGRAMS;
const UNITS = Object.keys(PROGRAMS) as UnitName[];

/** A process ends within a second of a SIGTERM. */
const END_DEADLINE_MS = 15_000;

const shared = forAllTests();
let place: string;
let debian: DebianRoot;
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let pings: Pings;
const running = new Map<string, ProcessMark>();

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'mw-package-'));
  shared.defer(() => rmSync(place, { recursive: true, force: true }));
  await debianPackage(deb('0.1.0'), { work: join(place, 'tree'), version: '0.1.0', compression: 1 });
  makeNextVersion();
  debian = shared.use(await DebianRoot.open(place));
  mkdirSync(join(place, 'labs'));
  const size = { name: `package-${process.pid}`, nodes: 1, segments: 1 };
  lab = shared.use(await Lab.build({ ...size, directory: join(place, 'labs') }));
  [host0, node1] = [lab.host('host0'), lab.host('node1')];
});

/** Makes 0.1.1 of the files of 0.1.0: to bundle and describe them again would take three times as long. */
function makeNextVersion(): void {
  const [tree, control] = [join(place, 'next'), join(place, 'next/DEBIAN/control')];
  execFileSync('dpkg-deb', ['--raw-extract', deb('0.1.0'), tree]);
  writeFileSync(control, readFileSync(control, 'utf8').replace('Version: 0.1.0', 'Version: 0.1.1'));
  execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, deb('0.1.1')], { stdio: 'ignore' });
}

function deb(version: string): string {
  return join(place, `meshwork_${version}_amd64.deb`);
}

/** Starts a unit on a host as a service manager would, from the files that are installed now. */
function start(host: LabHost, name: UnitName): void {
  const options = host.role === 'host0' ? '' : `--host0 ${host.host0} --machine ${host.machine}`;
  const variables = { AGENT_OPTIONS: `${options} --name ${host.name}`.trim() };
  const { argv, environment } = readUnit(debian.read(`/usr/lib/systemd/system/${name}`), variables);
  const { PATH, MESH_ROOT } = hostEnvironment(host.root);
  const env = { PATH, MESH_ROOT, ...environment };
  const log = openSync(join(pathsBelow(host.root).logs, `${PROGRAMS[name]}.log`), 'a');
  const child = spawnInside(host.netns, debian.inside(argv), { env, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  if (child.pid === undefined) throw new Error(`cannot start ${name}`);
  running.set(`${host.name} ${name}`, processMarkOf(child.pid));
}

async function stop(host: LabHost, name: UnitName): Promise<void> {
  const mark = running.get(`${host.name} ${name}`);
  if (mark === undefined) throw new Error(`${host.name} does not run ${name}`);
  signalProcess(mark, 'SIGTERM');
  await until(`${name} ends`, END_DEADLINE_MS, () => !isRunning(mark));
}

function services(): [LabHost, UnitName][] {
  return [...UNITS.map((name): [LabHost, UnitName] => [host0, name]), [node1, 'meshwork-agent.service']];
}

test('the same source makes the same bytes', async () => {
  const again = join(place, 'again.deb');
  await debianPackage(again, { work: join(place, 'elsewhere'), version: '0.1.0', compression: 1 });
  expect(readFileSync(again).equals(readFileSync(deb('0.1.0')))).toBe(true);
});

test('the installed services work with the capabilities that their units name', async () => {
  debian.run('dpkg', '--install', deb('0.1.0'));
  expect(debian.systemctlCalls()).toEqual(['daemon-reload']);
  // Emulators of virtual machines and servers of networks get a user of their own.
  for (const user of ['meshwork-vm', 'meshwork-net'])
    expect(debian.run('getent', 'passwd', user)).toMatch(/:\/nonexistent:\/usr\/sbin\/nologin\n$/);
  // The tests may run in a copy of the source without its history.
  expect(debian.run('mesh', '--version')).toMatch(
    /^meshwork 0\.1\.0( \(commit [0-9a-f]{12}(-modified)? of [0-9-]{10}\))?\n$/,
  );
  for (const [host, name] of services()) start(host, name);
  await lab.ready();
  pings = shared.use(await Pings.start(netnsPath(node1.netns), host0.member.ipv6));
  for (const host of lab.hosts) await isReady(host);
  await noDrift(lab.hosts);
});

test('an upgrade restarts the processes, and loses no packet', async () => {
  debian.run('dpkg', '--install', deb('0.1.1'));
  expect(debian.systemctlCalls()).toEqual(['daemon-reload', `try-restart ${UNITS.join(' ')}`]);
  for (const [host, name] of services()) await stop(host, name);
  for (const [host, name] of services()) start(host, name);
  for (const host of lab.hosts) await isReady(host);
  await noDrift(lab.hosts);
  expect(await pings.lost()).toBe('');
});

test('a removal ends the processes, and forwarding goes on', async () => {
  debian.run('dpkg', '--remove', 'meshwork');
  expect(debian.systemctlCalls()).toEqual([`disable --now ${UNITS.toReversed().join(' ')}`, 'daemon-reload']);
  for (const [host, name] of services().toReversed()) await stop(host, name);
  expect(await pings.lost()).toBe('');
  expect(pings.sent).toBeGreaterThan(0);
  expect(() => debian.run('test', '-e', '/usr/lib/meshwork')).toThrow();
  debian.run('dpkg', '--purge', 'meshwork');
  expect(() => debian.run('test', '-e', '/var/lib/meshwork')).toThrow();
  for (const user of ['meshwork-vm', 'meshwork-net']) expect(() => debian.run('getent', 'passwd', user)).toThrow();
});
