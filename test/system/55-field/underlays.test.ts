/**
 * A node, and then host0, whose underlay is a bond, a VLAN over a bond, or a bridge over either, also when a cable is pulled. This host is
 * on an emulated machine, since the kernel on which the tests run may have neither bonds nor VLANs.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { cpio } from '../../../src/formats/binary/cpio.ts';
import { installPrograms } from '../../../src/image/node/node-programs.ts';
import { programFile } from '../../../src/image/node/program-files.ts';
import { RootTree } from '../../../src/image/node/root-tree.ts';
import { inNetns, type TemporaryNetns, temporaryNetns } from '../../../src/kernel/netns.ts';
import { EXAMPLE_CONF } from '../../../src/lab/hosts/example-mesh.ts';
import { LONG } from '../../kit/long.ts';
import { ip } from '../../kit/namespaces.ts';
import { builtImage } from '../80-boot/built-image.ts';
import { takeTurnToEmulate } from '../80-boot/emulation-lane.ts';
import { QemuMachine } from '../80-boot/qemu-machine.ts';

/** The machine boots and its processes start within 20 s on an idle machine. */
const BOOT_MS = 90_000;
/** A bond looks at its cables 20 times a second; the other host asks for the new Ethernet address after some seconds. */
const STEP_MS = 60_000;
const MESH = new URL('../../../bin/mesh', import.meta.url).pathname;
/** At this port the machine waits for the order to go on. */
const ORDER = ['10.11.0.9', '99'] as const;

/** Who is on the emulated machine. The other one is in a namespace of this machine. */
type Role = 'node' | 'host0';

const NETWORKS: Readonly<Record<Role, string>> = { node: 'var/pxen/networks', host0: 'host0/network' };
const ADDRESS: Readonly<Record<Role, string>> = { node: '10.11.0.2', host0: '10.11.0.1' };
/** The words of each process, after `--root DIR`. */
const WORDS = {
  host0: ['--name', 'host0'],
  agentOfHost0: ['--name', 'host0', '--on-host0'],
  node: ['--name', 'node1', '--machine', '10eff964', '--host0', ADDRESS.host0],
} as const;

/** Starts a process on the machine. */
function started(program: 'agent' | 'host0', words: readonly string[]): string {
  const node = 'node --disable-warning=ExperimentalWarning --max-semi-space-size=1 --v8-pool-size=1 --no-sparkplug';
  return `/usr/sbin/ip netns exec host ${node} /usr/lib/meshwork/dist/${program}.mjs --root / ${words.join(' ')} &\n`;
}

/**
 * The first process of the machine. The switch is in its first network namespace: `trunk` passes tags on, and its VLAN 7 is the
 * segment of the others. The host is in another namespace, with two cables to the switch.
 */
function initOf(role: Role): string {
  const own = `${ADDRESS[role]}/24`;
  const programs =
    role === 'node'
      ? started('agent', WORDS.node)
      : started('host0', WORDS.host0) + started('agent', WORDS.agentOfHost0);
  return `#!/bin/sh
export PATH=/usr/sbin:/usr/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for directory in /run /tmp; do mount -t tmpfs tmpfs $directory; done
exec >/dev/ttyS0 2>&1 </dev/null
modprobe -a virtio_pci virtio_net
until [ -e /sys/class/net/eth0 ]; do usleep 50000; done
/usr/sbin/ip netns add host
/usr/sbin/ip -batch - <<END
link set lo up
link add trunk up type bridge
link add cable0 master trunk up type veth peer name eth0 netns host
link add cable1 master trunk up type veth peer name eth1 netns host
link add link trunk name trunk.7 up type vlan id 7
link add segment up type bridge
link set trunk.7 master segment
link set eth0 master segment up
address add ${ORDER[0]}/24 dev segment
END
/usr/sbin/ip -n host -batch - <<END
link set lo up
link add bond0 type bond mode active-backup miimon 50
link set eth0 master bond0
link set eth1 master bond0
link set bond0 up
link add link bond0 name bond0.7 up type vlan id 7
link add lan0 up type bridge
link set bond0.7 master lan0
address add ${own} dev lan0
END
${programs}step() { echo "step $1"; nc -l -p ${ORDER[1]}; }
step 'a bridge over a VLAN over a bond'
/usr/sbin/ip link set cable0 down
step 'a cable is pulled'
/usr/sbin/ip -n host link set bond0.7 nomaster
/usr/sbin/ip -n host link del lan0
/usr/sbin/ip -n host address add ${own} dev bond0.7
step 'a VLAN over a bond'
/usr/sbin/ip -n host link del bond0.7
/usr/sbin/ip link set cable1 nomaster
/usr/sbin/ip link set cable1 master segment
/usr/sbin/ip -n host address add ${own} dev bond0
step 'a bond'
/usr/sbin/ip -n host link add lan0 up type bridge
/usr/sbin/ip -n host address del ${own} dev bond0
/usr/sbin/ip -n host link set bond0 master lan0
/usr/sbin/ip -n host address add ${own} dev lan0
step 'a bridge over a bond'
`;
}

const STEPS = [
  'a bridge over a VLAN over a bond',
  'a cable is pulled',
  'a VLAN over a bond',
  'a bond',
  'a bridge over a bond',
] as const;

/** What the image lacks: this machine's `ip`, since busybox's makes no bond, host0's daemon, and the files of the host. */
async function addition(role: Role, work: string): Promise<Uint8Array> {
  const root = new RootTree();
  const needed = execFileSync('ldd', ['/usr/sbin/ip'], { encoding: 'utf8' }).matchAll(/=> (\/\S+)/g);
  // The image has a C library, which fits its own loader.
  const libraries = [...needed].flatMap(([, path = '']) => (basename(path).startsWith('libc.') ? [] : [path]));
  for (const path of ['/usr/sbin/ip', ...libraries]) root.file(path.slice(1), await readFile(path), 0o755);
  root.file('underlay-init', initOf(role), 0o755);
  if (role === 'host0') {
    await installPrograms(work);
    for (const file of readdirSync(join(work, 'dist'))) {
      if (file.endsWith('.mjs')) root.file(`usr/lib/meshwork/dist/${file}`, await readFile(join(work, 'dist', file)));
    }
  }
  root.file(`${NETWORKS[role]}/manage.conf`, EXAMPLE_CONF);
  return Buffer.concat([...cpio(root.entries())]);
}

/** With NUL bytes up to a multiple of four: another archive can follow. */
function aligned(archive: Buffer): Buffer {
  return Buffer.concat([archive, Buffer.alloc(-archive.length & 3)]);
}

if (LONG) takeTurnToEmulate();

/** The other host, in a namespace of this machine, and the segment that it shares with the emulated one. */
class OtherHost implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'mw-underlays-'));
  readonly netns: TemporaryNetns = temporaryNetns();
  readonly segment: TemporaryNetns = temporaryNetns();
  readonly #programs: ChildProcess[] = [];

  constructor(role: Role) {
    ip(this.segment.path, 'link add lan0 up type bridge');
    ip(
      this.netns.path,
      'link set lo up',
      `link add eth0 up type veth peer name other netns ${this.segment.path}`,
      `address add ${ADDRESS[role]}/24 dev eth0`,
    );
    ip(this.segment.path, 'link set other master lan0 up');
    mkdirSync(join(this.root, NETWORKS[role]), { recursive: true });
    writeFileSync(join(this.root, NETWORKS[role], 'manage.conf'), EXAMPLE_CONF);
    if (role === 'host0') this.#start('host0', WORDS.host0);
    this.#start('agent', role === 'host0' ? WORDS.agentOfHost0 : WORDS.node);
  }

  #start(program: 'host0' | 'agent', words: readonly string[]): void {
    const own = [programFile(program), '--root', this.root, ...words];
    this.#programs.push(inNetns(this.netns.path, () => spawn(process.execPath, own, { stdio: 'ignore' })));
  }

  /** Whether a host answers in the mesh. Its agent is not asked: an emulated one takes longer than a trace waits for it. */
  reaches(name: string): boolean {
    return spawnSync(MESH, ['--root', this.root, 'ping', 'manage', name, '--count', '1']).status === 0;
  }

  /** Lets the emulated machine take the next step. The machine answers nothing: curl gives up, and the machine goes on. */
  order(): void {
    spawnSync('nsenter', [`--net=${this.netns.path}`, 'curl', '-s', '-m', '1', `http://${ORDER.join(':')}/`]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map(ended));
    this.netns.close();
    this.segment.close();
    rmSync(this.root, { recursive: true, force: true });
  }
}

async function ended(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const exited = once(program, 'exit');
  program.kill('SIGKILL');
  await exited;
}

test.each([
  'node',
  'host0',
] as const)('the first process of the machine has valid shell syntax, with the %s', (role) => {
  expect(spawnSync('sh', ['-n'], { input: initOf(role), encoding: 'utf8' }).stderr).toBe('');
});

// An emulated machine takes a whole processor for half a minute.
if (LONG) {
  test.each([
    ['a node', 'node', 'host0', 'node1'],
    ['host0', 'host0', 'node', 'host0'],
  ] as const)(
    '%s is reached over a bond, a VLAN over a bond, and bridges over both, also without one of the cables',
    async (_, role, other, name) => {
      const image = await builtImage();
      await using outside = new OtherHost(other);
      const initrd = join(outside.root, 'initrd.img');
      const own = await readFile(join(image.directory, 'initrd.img'));
      writeFileSync(initrd, Buffer.concat([aligned(own), await addition(role, join(outside.root, 'programs'))]));
      const commandLine = `rdinit=/underlay-init panic=-1 quiet ${image.kernelArguments.join(' ')}`;
      await using machine = QemuMachine.start({
        netns: outside.segment.path,
        bridge: 'lan0',
        tap: 'tap0',
        mac: '52:54:00:11:0e:09',
        kernel: { vmlinuz: join(image.directory, 'vmlinuz'), initrd, commandLine },
      });
      for (const [index, what] of STEPS.entries()) {
        await machine.until(what, index === 0 ? BOOT_MS : STEP_MS, () => machine.console.includes(`step ${what}\n`));
        await machine.until(`${name} is reached: ${what}`, index === 0 ? BOOT_MS : STEP_MS, () =>
          outside.reaches(name),
        );
        outside.order();
      }
      // A line of the kernel may stand before the first of them.
      expect([...machine.console.matchAll(/step (a .*)/g)].map(([, what]) => what)).toEqual(STEPS);
    },
    600_000,
  );
}
