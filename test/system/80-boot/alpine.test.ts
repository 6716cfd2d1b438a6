/**
 * A machine boots the flavor alpine from host0 alone: iPXE, kernel, an initramfs that replays Alpine's, overlay, packages of the
 * mirror with their signatures, OpenRC, agent, member. Its packages are of the test's own making (alpine-source.ts).
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandDirectory } from '../../../src/image/node/program-files.ts';
import { BOOT_STAGES } from '../../../src/protocol/documents/timeline-view.ts';
import { commandLine } from '../../cli/mesh.ts';
import { testSigner } from '../../kit/alpine-repository.ts';
import { until } from '../until.ts';
import { netbootHashes, RELEASE, writeAlpineSource } from './alpine-source.ts';
import { BootBench, type BootHost } from './boot-bench.ts';
import { builtImage } from './built-image.ts';
import { takeTurnToEmulate } from './emulation-lane.ts';
import { QemuMachine } from './qemu-machine.ts';

const CONF = 'boot="auto"\nsubnet_pool="10.77.0.0/24"\ndefault_subnet_size="26"\nadmission="token"\n';
const HOST0 = '10.77.0.1';
/** Between two answers of the machine. */
const NEXT = '-- next --';
const MAC = '52:54:00:a1:b1:c1';
const MESH = join(commandDirectory, 'mesh');
/** Two emulated minutes: packages of 120 MB are unpacked, and OpenRC runs as shell scripts. */
const BOOT_MS = 400_000;
const signer = testSigner('alpine-devel@test-1.rsa.pub');

let bench: BootBench;
let host: BootHost;
let source: string;

takeTurnToEmulate();

beforeAll(async () => {
  source = mkdtempSync(join(tmpdir(), 'alpine-source-'));
  writeAlpineSource(source, await builtImage(), signer);
  bench = new BootBench();
  const machine = bench.machine();
  bench.segment('one');
  bench.plug(machine, { eth1: 'one' });
  host = bench.host0('host0', machine, CONF);
  put('network/manage.conf', 'name=manage\nprefix=fd42:2345:1234:9abc::/64\nvni=456\nkey=456\n');
  host.start('host0');
  host.start('agent');
  await host.segment('eth1', 'serves', ({ mode, service }) => mode === 'server' && service?.state === 'running');
}, 600_000);

afterAll(async () => {
  await bench?.close();
  rmSync(source, { recursive: true, force: true });
});

function put(path: string, text: string): void {
  const file = join(host.host0Dir, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const mesh = (...words: string[]) => commandLine(['--root', host.root, '--host0-dir', host.host0Dir, ...words]);

/** Runs a command on the node, as an administrator does on host0. */
function onNode(name: string, command: string): string {
  const words = [MESH, '--root', host.root, '--host0-dir', host.host0Dir, 'node', 'ctl', '-n', name, command];
  return spawnSync('nsenter', [`--net=${host.netns}`, ...words], { encoding: 'utf8' }).stdout.trim();
}

test('a diskless machine boots Alpine through the mirror, proves who it is, and becomes a member', async () => {
  const hashes = netbootHashes(source).map((hash) => `"${hash}"`);
  put(
    'mirror.conf',
    [
      `source="${source}"`,
      `release="${RELEASE.release}"`,
      `netboot="${RELEASE.netboot}"`,
      `kernel="${RELEASE.kernel}"`,
      `netboot_sha256=${hashes.join(' ')}`,
      '',
    ].join('\n'),
  );
  put(`mirror-keys/${signer.name}`, signer.pem);
  put('machines/default/UUID', 'default\n');
  put('machines/default/manifest', '');
  put('machines/default/packages', 'hello\n');
  put('machines/default/flavor', 'alpine\n');
  // In this order: the first overlay is compiled before host0 has a key for its mirror.
  expect(await mesh('system', 'configure')).toMatchObject({ code: 0 });
  expect(await mesh('system', 'download')).toMatchObject({ code: 0 });

  await using machine = QemuMachine.start({
    netns: bench.bridges,
    bridge: 'one',
    tap: 'tap0',
    mac: MAC,
    memoryMb: 1536,
  });
  const node = await machine.until('member', BOOT_MS, async () => {
    const nodes = await host.nodes().catch(() => []);
    return nodes.find(({ name, online, channel }) => name !== 'host0' && online && channel?.state === 'standing');
  });
  // The machine has no folder: it is called by its id, which host0 has found out and put on its command line.
  expect(node.name).toBe(node.machine);
  const boot = await until('the boot is over', 30_000, async () =>
    (await host.boots()).find(({ state }) => state === 'member'),
  );
  // The firmware of the emulated card is iPXE, which needs nothing by TFTP.
  expect(boot.stages.map(({ stage }) => stage)).toEqual(BOOT_STAGES.filter((stage) => stage !== 'tftp'));
  expect(boot.trouble).toBeUndefined();

  const shell = (command: string) => onNode(node.name, command);
  await machine.until('SSH', 60_000, () => shell('echo here') === 'here');
  const answers = shell(
    [
      'cat /etc/apk/repositories',
      'grep host0 /etc/hosts',
      'tail -n 2 /etc/network/interfaces',
      'head -n 1 /etc/shadow',
      'cat /etc/apk/world',
      "stat -c '%a %n' /etc/meshwork/key /etc/ssh/ssh_host_ed25519_key",
      'ps | grep "[u]dhcpc.*eth0" >/dev/null && echo renewed',
      'wget -q -O - http://host0/boot.ipxe | head -n 1',
      'mesh status --json',
    ].join(` && echo '${NEXT}' && `),
  ).split(`${NEXT}\n`);
  const [repositories, hosts, card, shadow, world, secrets, lease, byName, status = ''] = answers.map((one) =>
    one.trim(),
  );
  expect(repositories?.split('\n')).toEqual(
    ['v3.21/main', 'v3.21/community', 'meshwork/agent'].map((path) => `http://${HOST0}/alpine/1/${path}`),
  );
  expect(hosts).toBe(`${HOST0} host0`);
  expect(card).toBe('auto eth0\niface eth0 inet dhcp');
  // In the package root has no password: files of the overlay win.
  expect(shadow).toBe('root:*:::::::');
  expect(world).toBe('dropbear\ndropbear-convert\nhello\nmeshwork');
  expect(secrets).toBe('600 /etc/meshwork/key\n600 /etc/ssh/ssh_host_ed25519_key');
  expect(lease).toBe('renewed');
  expect(byName).toBe('#!ipxe');
  expect(JSON.parse(status)).toMatchObject({ agent: { machine: node.machine } });
}, 600_000);
