/**
 * A node whose underlay is a bond, a VLAN over a bond, or a bridge over either, also when a cable is pulled. The node is on an emulated
 * machine, since the kernel on which the tests run may have neither bonds nor VLANs.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cpio } from '../../../src/formats/binary/cpio.ts';
import { programFile } from '../../../src/image/node/program-files.ts';
import { RootTree } from '../../../src/image/node/root-tree.ts';
import { inNetns, type TemporaryNetns, temporaryNetns } from '../../../src/kernel/netns.ts';
import { EXAMPLE_CONF } from '../../../src/lab/hosts/example-mesh.ts';
import { LONG } from '../../kit/long.ts';
import { ip } from '../../kit/namespaces.ts';
import { builtImage } from '../80-boot/built-image.ts';
import { takeTurnToEmulate } from '../80-boot/emulation-lane.ts';
import { QemuMachine } from '../80-boot/qemu-machine.ts';

/** The machine boots and its agent starts within 15 s on an idle machine. */
const BOOT_MS = 90_000;
/** A bond looks at its cables 20 times a second; host0 asks for the node's new Ethernet address after some seconds. */
const STEP_MS = 30_000;
const MESH = new URL('../../../bin/mesh', import.meta.url).pathname;
/** At this port the machine waits for the order to go on. */
const ORDER = ['10.11.0.9', '99'] as const;

/**
 * The first process of the machine. The switch is in its first network namespace: `trunk` passes tags on, and its VLAN 7 is the
 * segment of host0. The node is in another, with two cables to the switch.
 */
const INIT = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for directory in /run /tmp; do mount -t tmpfs tmpfs $directory; done
exec >/dev/ttyS0 2>&1 </dev/null
modprobe -a virtio_pci virtio_net
until [ -e /sys/class/net/eth0 ]; do usleep 50000; done
/usr/sbin/ip netns add node
/usr/sbin/ip -batch - <<END
link set lo up
link add trunk up type bridge
link add cable0 master trunk up type veth peer name eth0 netns node
link add cable1 master trunk up type veth peer name eth1 netns node
link add link trunk name trunk.7 up type vlan id 7
link add segment up type bridge
link set trunk.7 master segment
link set eth0 master segment up
address add ${ORDER[0]}/24 dev segment
END
/usr/sbin/ip -n node -batch - <<END
link set lo up
link add bond0 type bond mode active-backup miimon 50
link set eth0 master bond0
link set eth1 master bond0
link set bond0 up
link add link bond0 name bond0.7 up type vlan id 7
link add lan0 up type bridge
link set bond0.7 master lan0
address add 10.11.0.2/24 dev lan0
END
/usr/sbin/ip netns exec node node --disable-warning=ExperimentalWarning --max-semi-space-size=1 --v8-pool-size=1 --no-sparkplug \\
  /usr/lib/meshwork/dist/agent.mjs --root / --name node1 --machine 10eff964 --host0 10.11.0.1 &
step() { echo "step $1"; nc -l -p ${ORDER[1]}; }
step 'a bridge over a VLAN over a bond'
/usr/sbin/ip link set cable0 down
step 'a cable is pulled'
/usr/sbin/ip -n node link set bond0.7 nomaster
/usr/sbin/ip -n node link del lan0
/usr/sbin/ip -n node address add 10.11.0.2/24 dev bond0.7
step 'a VLAN over a bond'
/usr/sbin/ip -n node link del bond0.7
/usr/sbin/ip link set cable1 nomaster
/usr/sbin/ip link set cable1 master segment
/usr/sbin/ip -n node address add 10.11.0.2/24 dev bond0
step 'a bond'
/usr/sbin/ip -n node link add lan0 up type bridge
/usr/sbin/ip -n node address del 10.11.0.2/24 dev bond0
/usr/sbin/ip -n node link set bond0 master lan0
/usr/sbin/ip -n node address add 10.11.0.2/24 dev lan0
step 'a bridge over a bond'
`;

const STEPS = [
  'a bridge over a VLAN over a bond',
  'a cable is pulled',
  'a VLAN over a bond',
  'a bond',
  'a bridge over a bond',
] as const;

/** What the image lacks: this machine's `ip`, since busybox's makes no bond, and the files of the node. */
async function addition(): Promise<Uint8Array> {
  const root = new RootTree();
  const needed = execFileSync('ldd', ['/usr/sbin/ip'], { encoding: 'utf8' }).matchAll(/=> (\/\S+)/g);
  // The image has a C library, which fits its own loader.
  const libraries = [...needed].flatMap(([, path = '']) => (basename(path).startsWith('libc.') ? [] : [path]));
  for (const path of ['/usr/sbin/ip', ...libraries]) root.file(path.slice(1), await readFile(path), 0o755);
  root.file('underlay-init', INIT, 0o755);
  root.file('var/pxen/networks/manage.conf', EXAMPLE_CONF);
  return Buffer.concat([...cpio(root.entries())]);
}

/** With NUL bytes up to a multiple of four: another archive can follow. */
function aligned(archive: Buffer): Buffer {
  return Buffer.concat([archive, Buffer.alloc(-archive.length & 3)]);
}

let root = '';
let host0: TemporaryNetns;
let segment: TemporaryNetns;
const programs: ChildProcess[] = [];

if (LONG) takeTurnToEmulate();

beforeAll(() => {
  if (!LONG) return;
  root = mkdtempSync(join(tmpdir(), 'mw-underlays-'));
  [host0, segment] = [temporaryNetns(), temporaryNetns()];
  ip(segment.path, 'link add lan0 up type bridge');
  ip(
    host0.path,
    'link set lo up',
    `link add eth0 up type veth peer name host0 netns ${segment.path}`,
    'address add 10.11.0.1/24 dev eth0',
  );
  ip(segment.path, 'link set host0 master lan0 up');
  mkdirSync(join(root, 'host0/network'), { recursive: true });
  writeFileSync(join(root, 'host0/network/manage.conf'), EXAMPLE_CONF);
  start('host0');
  start('agent', '--on-host0');
});

afterAll(async () => {
  await Promise.all(programs.map(ended));
  host0?.close();
  segment?.close();
  if (root !== '') rmSync(root, { recursive: true, force: true });
});

function start(program: 'host0' | 'agent', ...words: readonly string[]): void {
  const own = [programFile(program), '--root', root, '--name', 'host0', ...words];
  programs.push(inNetns(host0.path, () => spawn(process.execPath, own, { stdio: 'ignore' })));
}

async function ended(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const exited = once(program, 'exit');
  program.kill('SIGKILL');
  await exited;
}

/** Whether the node answers in the mesh. Its agent is not asked: an emulated one takes longer than a trace waits for it. */
function isReached(): boolean {
  return spawnSync(MESH, ['--root', root, 'ping', 'manage', 'node1', '--count', '1']).status === 0;
}

test('the first process of the machine has valid shell syntax', () => {
  expect(spawnSync('sh', ['-n'], { input: INIT, encoding: 'utf8' }).stderr).toBe('');
});

// An emulated machine takes a whole processor for half a minute.
if (LONG) {
  test('a node is reached over a bond, a VLAN over a bond, and bridges over both, also without one of the cables', async () => {
    const image = await builtImage();
    const initrd = join(root, 'initrd.img');
    const own = await readFile(join(image.directory, 'initrd.img'));
    writeFileSync(initrd, Buffer.concat([aligned(own), await addition()]));
    const commandLine = `rdinit=/underlay-init panic=-1 quiet ${image.kernelArguments.join(' ')}`;
    await using machine = QemuMachine.start({
      netns: segment.path,
      bridge: 'lan0',
      tap: 'tap0',
      mac: '52:54:00:11:0e:09',
      kernel: { vmlinuz: join(image.directory, 'vmlinuz'), initrd, commandLine },
    });
    await machine.until('the agent runs', BOOT_MS, () => machine.console.includes('agent of node1'));
    for (const what of STEPS) {
      await machine.until(what, STEP_MS, () => machine.console.includes(`step ${what}\n`));
      await machine.until(`the node is reached: ${what}`, STEP_MS, isReached);
      // The machine answers nothing: curl gives up, and the machine goes on.
      spawnSync('nsenter', [`--net=${host0.path}`, 'curl', '-s', '-m', '1', `http://${ORDER.join(':')}/`]);
    }
    expect(machine.console.match(/^step .*$/gm)).toHaveLength(STEPS.length);
  }, 600_000);
}
