/**
 * The kernel and the initramfs of the small guest: a virtual machine that boots in about two seconds without acceleration. It has
 * Debian's kernel for virtual machines, the modules of QEMU's devices, and busybox. `init`, beside this file, says what it does.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { cpio } from '../../../src/formats/binary/cpio.ts';
import { elfSection } from '../../../src/formats/binary/elf.ts';
import { dependencyIndex, moduleInfo, moduleName } from '../../../src/image/node/kernel-modules.ts';
import { RootTree } from '../../../src/image/node/root-tree.ts';
import { Apt } from '../../../src/image/packages/apt.ts';
import { programOutput } from '../../../src/image/packages/program-output.ts';

/** The files that QEMU loads. */
export interface SmallGuest {
  readonly kernel: string;
  readonly initrd: string;
  /** What the command line of its kernel begins with. Words for `init` follow. */
  readonly append: string;
}

/** `fill` writes 64 MiB to the guest's first disk, and `seed` prints its seed. */
type GuestDeed = 'poweroff' | 'reboot' | 'panic' | 'fill' | 'seed';

/** What a small guest does, as words of its kernel command line. */
export interface GuestWishes {
  readonly name: string;
  /** Addresses with their prefix length, by device. */
  readonly addresses?: readonly (readonly [device: string, address: string])[];
  /** The devices for which the guest asks for an address by DHCP. */
  readonly dhcp?: readonly string[];
  /** The guest says on its console which address these names have. */
  readonly resolves?: readonly string[];
  /** The guest says its name to each caller at these TCP ports. */
  readonly serves?: readonly number[];
  /** The guest says on its console when one of these begins to answer, and when it ends. */
  readonly pings?: readonly string[];
  /** The guest pings these each 50 ms, and says so on its console at each 10th answer. */
  readonly steady?: readonly string[];
  /** What the guest does as soon as it is ready, one after the other. Absent: it runs on. */
  readonly end?: readonly GuestDeed[];
}

/** Not below root's home: an emulator runs as another user. */
const CACHE = '/var/cache/meshwork/small-guest';
const KERNEL = 'linux-image-cloud-amd64';
/** The modules that a guest loads, apart from those that they depend on. */
const MODULES = [
  'virtio_pci',
  'virtio_net',
  'virtio_blk',
  'virtio_rng',
  // udhcpc sends whole packets.
  'af_packet',
  'button',
  'evdev',
  'pvpanic_pci',
  'vfat',
  'nls_cp437',
  'nls_ascii',
];
/** Skips self-tests of ciphers, and checks of timers that fail where an emulator waits for a processor. */
const APPEND = 'console=ttyS0 quiet cryptomgr.notests no_timer_check tsc=reliable mitigations=off nokaslr panic=-1';
const INIT = new URL('init', import.meta.url).pathname;

let made: Promise<SmallGuest> | undefined;

/** Resolves with the guest's files. The first caller on this machine makes them, in a few seconds. */
export function smallGuest(): Promise<SmallGuest> {
  made ??= find();
  return made;
}

/** The kernel command line of a guest. */
export function guestCommandLine({ append }: SmallGuest, wishes: GuestWishes): string {
  const { name, addresses = [], dhcp = [], resolves = [], serves = [], pings = [], steady = [], end = [] } = wishes;
  return [
    append,
    `guest.name=${name}`,
    ...addresses.map(([device, address]) => `guest.address=${device},${address}`),
    ...dhcp.map((device) => `guest.dhcp=${device}`),
    ...resolves.map((one) => `guest.resolve=${one}`),
    ...serves.map((port) => `guest.serve=${port}`),
    ...pings.map((address) => `guest.ping=${address}`),
    ...steady.map((address) => `guest.steady=${address}`),
    ...end.map((deed) => `guest.end=${deed}`),
  ].join(' ');
}

async function find(): Promise<SmallGuest> {
  const content = createHash('sha256')
    .update(readFileSync(import.meta.filename))
    .update(readFileSync(INIT));
  const directory = join(CACHE, content.digest('hex').slice(0, 16));
  const files = { kernel: join(directory, 'vmlinuz'), initrd: join(directory, 'initrd'), append: APPEND };
  if (existsSync(files.initrd)) return files;
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(join(CACHE, 'draft-'));
  try {
    await make(draft);
    await chmod(draft, 0o755);
    // Another process may have been quicker.
    await rename(draft, directory).catch(() => undefined);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return files;
}

async function make(draft: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'mw-small-guest-'));
  try {
    const apt = new Apt(work);
    const packages = (await apt.closure([KERNEL, 'busybox-static'])).filter(
      ({ name }) => name.startsWith('linux-image-') || name === 'busybox-static',
    );
    const unpacked = join(work, 'unpacked');
    for (const file of await apt.fetch(packages)) await programOutput('dpkg-deb', '-x', file, unpacked);
    const vmlinuz = readdirSync(join(unpacked, 'boot')).find((file) => file.startsWith('vmlinuz-')) ?? '';
    await writeFile(join(draft, 'vmlinuz'), await readFile(join(unpacked, 'boot', vmlinuz)));
    const root = await rootOf(unpacked, vmlinuz.replace(/^vmlinuz-/, ''));
    await writeFile(join(draft, 'initrd'), Buffer.concat([...cpio(root.entries())]));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function rootOf(unpacked: string, release: string): Promise<RootTree> {
  const root = new RootTree();
  for (const name of ['dev', 'proc', 'sys', 'tmp', 'run', 'modules', 'var/log', 'var/run']) root.directory(name);
  const busybox = join(unpacked, 'bin/busybox');
  root.file('usr/bin/busybox', await readFile(busybox), 0o755);
  for (const applet of (await programOutput(busybox, '--list')).trim().split('\n')) {
    if (applet !== 'busybox') root.link(`usr/bin/${applet}`, 'busybox');
  }
  // The kernel opens the console before /dev is mounted, and runs without one: `init` then opens it itself.
  root.file(
    'init',
    `#!/bin/busybox sh\n/bin/mount -t devtmpfs dev /dev\nexec /bin/sh /init.guest </dev/console >/dev/console 2>&1\n`,
    0o755,
  );
  root.file('init.guest', await readFile(INIT), 0o755);
  root.file('etc/acpi/PWRF/00000080', '#!/bin/sh\npoweroff -f\n', 0o755);
  await addModules(root, join(unpacked, 'lib/modules', release));
  return root;
}

async function addModules(root: RootTree, directory: string): Promise<void> {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ko'))
    .sort();
  const infoOf = (path: string) =>
    moduleInfo(path, elfSection(readFileSync(join(directory, path)), '.modinfo') ?? Buffer.alloc(0));
  const infos = paths.map(infoOf);
  const lines = new Map(
    dependencyIndex(infos)
      .split('\n')
      .filter(Boolean)
      .map((line): [string, string[]] => {
        const [path = '', needed = ''] = line.split(':');
        return [moduleName(path), [path, ...needed.split(' ').filter(Boolean)]];
      }),
  );
  const order: string[] = [];
  for (const name of MODULES) {
    for (const path of (lines.get(name) ?? []).toReversed()) if (!order.includes(path)) order.push(path);
  }
  for (const path of order) root.file(`modules/${basename(path)}`, await readFile(join(directory, path)));
  root.file('modules/order', order.map((path) => `${basename(path)}\n`).join(''));
}
