/** The node image boots on an emulated machine, takes overlay and secrets, and becomes a member of a real host0. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authorizedKeysIn } from '../../../src/image/command-key.ts';
import type { ListedImage } from '../../../src/image/node/generations.ts';
import { commandDirectory, programFile } from '../../../src/image/node/program-files.ts';
import { secretsOf } from '../../../src/image/overlay/machine-secrets.ts';
import { Overlay, packOverlay } from '../../../src/image/overlay/overlay.ts';
import { inNetns, type TemporaryNetns, temporaryNetns } from '../../../src/kernel/netns.ts';
import { parseMachineId } from '../../../src/model/machine.ts';
import { memberAddresses } from '../../../src/model/network/member.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { AGENT_PORT } from '../../../src/protocol/documents/tcp-ports.ts';
import { LONG } from '../../kit/long.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { manage } from '../../kit/networks.ts';
import { until } from '../until.ts';
import { BootServer } from './boot-server.ts';
import { builtImage } from './built-image.ts';
import { takeTurnToEmulate } from './emulation-lane.ts';
import { QemuMachine } from './qemu-machine.ts';

const MANAGE_CONF = 'name=manage\nprefix=fd42:2345:1234:9abc::/64\nvni=456\nkey=456\n';
const MACHINE = '10eff964';
const BARE_MACHINE = '2bad5eed';
const { ipv6: NODE } = memberAddresses(manage, parseMachineId(MACHINE));
const MESH = join(commandDirectory, 'mesh');
/** Far longer than a boot takes, because two emulators share the processors with other tests. */
const BOOT_MS = 90_000;

let image: ListedImage;
/** The namespace of host0. */
let host0: TemporaryNetns;
/** The namespace with the bridge that connects host0 and the machines. */
let segment: TemporaryNetns;
let server: BootServer;
const root = mkdtempSync(join(tmpdir(), 'mw-node-image-'));
const children: ChildProcess[] = [];

takeTurnToEmulate();

beforeAll(async () => {
  image = await builtImage();
  host0 = temporaryNetns();
  segment = temporaryNetns();
  ip(segment.path, 'link add lan0 type bridge', 'link set lan0 up');
  ip(
    host0.path,
    'link set lo up',
    `link add eth0 type veth peer name host0 netns ${segment.path}`,
    'address add 10.11.0.1/24 dev eth0',
    'link set eth0 up',
  );
  ip(segment.path, 'link set host0 master lan0 up');
  server = new BootServer(host0.path);
  startDhcp();
  await startHost0();
}, 300_000);

afterAll(async () => {
  server?.close();
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }),
  );
  host0?.close();
  segment?.close();
  rmSync(root, { recursive: true, force: true });
});

function start(command: string, ...words: readonly string[]): ChildProcess {
  const child = inNetns(host0.path, () => spawn(command, words, { stdio: ['ignore', 'ignore', 'inherit'] }));
  children.push(child);
  return child;
}

function startDhcp(): void {
  const files = [`--dhcp-leasefile=${join(root, 'leases')}`, `--pid-file=${join(root, 'dnsmasq.pid')}`];
  const range = ['--dhcp-range=10.11.0.100,10.11.0.200,1h', '--dhcp-authoritative', '--no-ping'];
  const lone = ['--conf-file=/dev/null', '--keep-in-foreground', '--port=0', '--user=root', '--interface=eth0'];
  start('dnsmasq', ...lone, ...files, ...range, '--log-facility=/dev/null');
}

async function startHost0(): Promise<void> {
  mkdirSync(join(root, 'host0/network'), { recursive: true });
  writeFileSync(join(root, 'host0/network/manage.conf'), MANAGE_CONF);
  start(process.execPath, programFile('host0'), '--root', root, '--name', 'host0');
  start(process.execPath, programFile('agent'), '--root', root, '--name', 'host0', '--on-host0');
  const { name: bridge } = manage.bridge;
  await until('host0 has its mesh', 30_000, () => inside(host0.path, 'ip', '-o', 'link').includes(` ${bridge}: `));
}

function boot(tap: string, mac: string, commandLine: string, cpuModel = 'max'): QemuMachine {
  return QemuMachine.start({
    cpuModel,
    netns: segment.path,
    bridge: 'lan0',
    tap,
    mac,
    kernel: {
      vmlinuz: join(image.directory, 'vmlinuz'),
      initrd: join(image.directory, 'initrd.img'),
      commandLine: `BOOTIF=01-${mac.replaceAll(':', '-')} host0=10.11.0.1 panic=-1 ${image.kernelArguments.join(' ')} ${commandLine}`,
    },
  });
}

const stagesOf = (attempt: string) =>
  server.stages.filter((stage) => stage.attempt === attempt).map(({ stage, detail }) => [stage, detail]);

/** Between two answers of a machine. */
const NEXT = '-- next --';

/** x86-64 of 2003, without SSE 4.2. */
const OLD_PROCESSOR = 'qemu64';

test('a node with an old processor boots, takes its overlay and secrets, joins, and is reached over the mesh alone', async () => {
  const { state } = pathsBelow(root);
  const [host0Key] = await until("host0's key", 30_000, async () => {
    const keys = await authorizedKeysIn(state);
    return keys.length > 0 && keys;
  });
  const files = new Overlay();
  files.putFile('etc/hostname', 'node-a\n');
  files.putFile('etc/apk/world', 'alpine-base\nnodejs>20\nhtop@edge\n');
  files.putFile('etc/local.d/mark.start', '#!/bin/sh\necho done >/run/mark\n', 0o755);
  files.putFile('root/.ssh/authorized_keys', `${host0Key}\n`, 0o600);
  files.putFile('var/pxen/networks/manage.conf', MANAGE_CONF);
  files.putFile('tmp/job/in', 'on the way are directories that the image has\n');
  files.putFile('var/tmp/in', 'the same\n');
  const overlay = await packOverlay(files.entries);
  // First a part of the overlay, then other contents, then the whole overlay.
  const path = server.serveOverlay(MACHINE, overlay.subarray(0, 300), Buffer.from('not found'), overlay);
  server.serve('/secrets/feed', Buffer.from(await secretsOf(state, parseMachineId(MACHINE))));

  await using machine = boot(
    'tap0',
    '52:54:00:11:0e:01',
    `mesh.machine=${MACHINE} mesh.boot=0a0a mesh.token=feed mesh.overlay=http://10.11.0.1${path}`,
    OLD_PROCESSOR,
  );
  const mesh = (...words: string[]) => spawnSync(MESH, ['--root', root, ...words], { encoding: 'utf8' });
  await machine.until('the agent is reported', BOOT_MS, () => stagesOf('0a0a').some(([stage]) => stage === 'agent'));
  await machine.until('mesh ping', BOOT_MS, () => mesh('ping', 'manage', 'node-a', '--count', '1').status === 0);
  const wrong = 'the file has another hash than host0 announced';
  // The node does not wait for answers to its reports: one may overtake another.
  expect(stagesOf('0a0a').toSorted()).toEqual(
    [
      ['initrd', undefined],
      ['overlay', wrong],
      ['overlay', wrong],
      ['overlay', undefined],
      ['packages', 'not in this image: htop'],
      ['agent', undefined],
    ].toSorted(),
  );
  expect(server.asked).toEqual([path, path, path, '/secrets/feed']);

  const ctl = (command: string) =>
    spawnSync('nsenter', [`--net=${host0.path}`, MESH, '--root', root, 'node', 'ctl', '-n', 'node-a', command], {
      encoding: 'utf8',
    });
  await machine.until('SSH', 30_000, () => ctl('true').status === 0);
  // All at once: a handshake takes long on an emulated machine.
  const asked = [
    'hostname; cat /run/mark',
    'mesh status --json',
    'mesh doctor',
    "stat -c '%a %u %n' / /tmp /tmp/job /var/tmp /root /root/.ssh/authorized_keys /etc/ssh/ssh_host_ed25519_key",
    'netstat -ltn',
    'date +%s',
  ];
  const answers = ctl(asked.join(`; echo '${NEXT}';`)).stdout.split(`${NEXT}\n`);
  const [own = '', status = '', doctor, modes = '', sockets = '', seconds] = answers.map((answer) => answer.trim());
  const offSec = Math.abs(Number(seconds) - Date.now() / 1000);
  expect(offSec).toBeLessThan(30);
  expect(own.split('\n')).toEqual(['node-a', 'done']);
  expect(JSON.parse(status)).toMatchObject({ agent: { machine: MACHINE, node: 'node-a' } });
  // The doctor finds taps for guests.
  expect(doctor).not.toContain('«tun»');
  expect(modes.split('\n')).toEqual([
    '755 0 /',
    '1777 0 /tmp',
    '755 0 /tmp/job',
    '1777 0 /var/tmp',
    '700 0 /root',
    '600 0 /root/.ssh/authorized_keys',
    '600 0 /etc/ssh/ssh_host_ed25519_key',
  ]);
  const listening = sockets
    .split('\n')
    .slice(2)
    .map((line) => line.split(/\s+/)[3]);
  // SSH, and the endpoint at which agents ask each other.
  expect(listening.toSorted()).toEqual([`${NODE}:22`, `${NODE}:${AGENT_PORT}`]);

  const info = JSON.parse(mesh('node', 'info', 'node-a', '--json').stdout);
  expect(info.hardware.inventory).toMatchObject({
    system: { manufacturer: 'QEMU' },
    cpu: { threads: 1 },
    nics: [{ mac: '52:54:00:11:0e:01', driver: 'virtio_net' }],
  });
  expect(info.hardware.cards).toEqual([{ mac: '52:54:00:11:0e:01', segment: ['eth0'] }]);
  const reboot = spawnSync('nsenter', [`--net=${host0.path}`, MESH, '--root', root, 'node', 'reboot', 'node-a']);
  expect(reboot.status).toBe(0);
  await until('the machine reboots', 60_000, () => machine.ended);
}, 240_000);

// A second boot of this image, which `npm test` leaves to machines.test.ts.
if (LONG) {
  test('a machine without an overlay boots with defaults', async () => {
    await using machine = boot('tap1', '52:54:00:11:0e:02', `mesh.machine=${BARE_MACHINE} mesh.boot=0b0b`);
    const stages = ['agent', 'initrd', 'packages'];
    await machine.until('every stage is reported', BOOT_MS, () =>
      stages.every((wanted) => stagesOf('0b0b').some(([stage]) => stage === wanted)),
    );
    // The node does not wait for answers to its reports: one may overtake another.
    expect(stagesOf('0b0b').toSorted()).toEqual(stages.map((stage) => [stage, undefined]));
  }, 240_000);
}
