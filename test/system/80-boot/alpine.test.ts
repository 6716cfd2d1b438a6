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
import { commandLine } from '../../cli/mesh.ts';
import { testSigner } from '../../kit/alpine-repository.ts';
import { netbootHashes, RELEASE, writeAlpineSource } from './alpine-source.ts';
import { BootBench, type BootHost } from './boot-bench.ts';
import { builtImage } from './built-image.ts';
import { takeTurnToEmulate } from './emulation-lane.ts';
import { QemuMachine } from './qemu-machine.ts';

const CONF = 'boot="auto"\nsubnet_pool="10.77.0.0/24"\ndefault_subnet_size="26"\nadmission="token"\n';
const HOST0 = '10.77.0.1';
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
}, 300_000);

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
function onNode(command: string): string {
  const words = [MESH, '--root', host.root, '--host0-dir', host.host0Dir, 'node', 'ctl', '-n', 'node1', command];
  return spawnSync('nsenter', [`--net=${host.netns}`, ...words], { encoding: 'utf8' }).stdout.trim();
}

test('a diskless machine boots Alpine through the mirror and becomes a member, and says which package lacks', async () => {
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
  expect(await mesh('system', 'download')).toMatchObject({ code: 0, stderr: '' });

  await using machine = QemuMachine.start({
    netns: bench.bridges,
    bridge: 'one',
    tap: 'tap0',
    mac: MAC,
    memoryMb: 1536,
  });
  await machine.until('member', BOOT_MS, async () => {
    const nodes = await host.nodes().catch(() => []);
    return nodes.some(({ online, ipv4 }) => online && ipv4 !== HOST0);
  });
}, 500_000);
