/**
 * The machine that labs boot: Debian's kernel, the modules of QEMU's devices, busybox and dropbear. It boots in about two seconds
 * without acceleration. It is made once from Debian packages, and kept by the content of what it is made from.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { syncDirectory, writeSynced } from '../../disk/durable-file.ts';
import { cpio } from '../../formats/binary/cpio.ts';
import { withoutEmptyEnd } from '../../formats/binary/elf.ts';
import { kernelOf } from '../../formats/binary/linux-image.ts';
import { newPrivateKey } from '../../formats/binary/openssh-key.ts';
import { RootTree } from '../../image/node/root-tree.ts';
import { programOutput } from '../../image/packages/program-output.ts';
import { shippedFile } from '../shipped-files.ts';
import { guestCache, markUsed, prepareCache } from './guest-cache.ts';
import { GuestPackages } from './guest-packages.ts';

/** The files of a guest. */
export interface GuestImage {
  readonly kernel: string;
  /** A cpio archive, to which others can be appended. */
  readonly base: string;
  /** More programs, as an archive to append: tcpdump, iperf3, nft, ip, bash, and kernel modules for networks. */
  readonly tools: string;
  /** Kernel modules for disks, as an archive to append; `/modules/disks` names them in their order. */
  readonly disks: string;
  /** Changes with the content. */
  readonly id: string;
}

/** Raised when the guest is put together in another way. */
const VERSION = 4;
/** The modules that a guest loads, apart from those that they depend on. A DHCP client sends whole packets, and needs `af_packet`. */
const MODULES = ['virtio_pci', 'virtio_net', 'virtio_rng', 'af_packet', 'button', 'evdev', 'pvpanic_pci'];
/** A module that only templates load. */
const LATER_MODULE = 'qemu_fw_cfg';
/** Machines of labs have no disks; those of workloads do. */
const DISK_MODULES = ['virtio_blk', 'vfat', 'nls_cp437', 'nls_ascii'];
/** Modules for networks, which `modprobe` finds. */
const NETWORK_MODULES = [
  ...['bridge', '8021q', 'vxlan', 'veth', 'vrf', 'dummy', 'tun', 'macvlan'],
  ...['sch_netem', 'sch_tbf', 'sch_htb', 'sch_fq', 'sch_ingress', 'cls_u32', 'act_mirred'],
  ...[
    'nf_tables',
    'nft_ct',
    'nft_nat',
    'nft_masq',
    'nft_chain_nat',
    'nft_reject_inet',
    'nft_limit',
    'nft_numgen',
    'nft_log',
  ],
];
const TOOLS = [
  'sbin/ip',
  'sbin/bridge',
  'sbin/tc',
  'bin/ss',
  'usr/bin/tcpdump',
  'usr/bin/iperf3',
  'usr/sbin/nft',
  'bin/bash',
];
const PACKAGES = ['busybox-static', 'dropbear-bin', 'iproute2', 'tcpdump', 'iperf3', 'nftables', 'bash'];
const FILE_MODE = 0o644;
const DIRECTORIES = ['dev', 'proc', 'sys', 'tmp', 'run', 'root', 'var/log', 'var/run', 'etc/init.d', 'modules'];

/** What the kernel's command line begins with. It skips self-tests, and checks of timers that fail where an emulator waits for a processor. */
export const GUEST_APPEND =
  'console=ttyS0 quiet cryptomgr.notests no_timer_check tsc=reliable mitigations=off nokaslr audit=0 panic=-1';

/**
 * The guest, from the cache or newly made, in some seconds.
 * @throws MESH_IMAGE_PACKAGES, MESH_IMAGE_FAILED
 */
export async function guestImage(onStage: (stage: string) => void = () => {}): Promise<GuestImage> {
  const id = contentId();
  const directory = join(guestCache(), `guest-${id}`);
  const files = {
    kernel: join(directory, 'kernel'),
    base: join(directory, 'base.cpio'),
    tools: join(directory, 'tools.cpio'),
    disks: join(directory, 'disks.cpio'),
    id,
  };
  if (existsSync(files.tools)) {
    await markUsed(directory);
    return files;
  }
  onStage('making the guest from Debian packages');
  await prepareCache();
  const draft = await mkdtemp(join(guestCache(), 'draft-'));
  try {
    await make(draft);
    await syncDirectory(draft);
    // Another process may have been quicker.
    await rename(draft, directory).catch(() => undefined);
    await syncDirectory(guestCache());
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return files;
}

/** A digest of all that a guest is made from, apart from the versions of the packages. */
function contentId(): string {
  const hash = createHash('sha256').update(
    JSON.stringify([VERSION, MODULES, LATER_MODULE, DISK_MODULES, NETWORK_MODULES, TOOLS, PACKAGES, DIRECTORIES]),
  );
  const directory = shippedFile('guest');
  for (const name of readdirSync(directory).sort())
    hash.update(`\0${name}\0`).update(readFileSync(join(directory, name)));
  return hash.digest('hex').slice(0, 16);
}

/** What is here under its last name is believed: after a power cut, no part may be missing. */
async function make(draft: string): Promise<void> {
  await using packages = await GuestPackages.unpack(PACKAGES);
  const packed = await readFile(packages.kernel);
  const put = (name: string, content: Uint8Array) => writeSynced(join(draft, name), content, FILE_MODE);
  await put('kernel', withoutEmptyEnd(kernelOf(packed) ?? packed));
  await put('base.cpio', Buffer.concat([...cpio((await baseTree(packages)).entries())]));
  await put('disks.cpio', Buffer.concat([...cpio((await disksTree(packages)).entries())]));
  // The last file: where it is there, all are.
  await put('tools.cpio', Buffer.concat([...cpio((await toolsTree(packages)).entries())]));
}

async function baseTree(packages: GuestPackages): Promise<RootTree> {
  const tree = new RootTree();
  for (const name of DIRECTORIES) tree.directory(name);
  await addBusybox(tree, packages);
  await packages.addPrograms(tree, ['usr/sbin/dropbear']);
  const order = await packages.addModules(tree, 'modules', MODULES);
  tree.file('modules/order', order.map((name) => `${name}\n`).join(''));
  await packages.addModules(tree, 'modules', [LATER_MODULE]);
  const shipped = (name: string) => readFile(shippedFile('guest', name));
  tree.file('init', await shipped('init'), 0o755);
  tree.file('etc/lab.d/addresses.sh', await shipped('addresses.sh'));
  tree.file('etc/profile', await shipped('profile'));
  tree.file('bin/lab-shell', await shipped('lab-shell'), 0o755);
  tree.file('etc/acpi/PWRF/00000080', '#!/bin/sh\npoweroff -f\n', 0o755);
  // The machines of a lab are open to their lab: root has no password.
  tree.file('etc/passwd', 'root::0:0:root:/root:/bin/lab-shell\n');
  tree.file('etc/group', 'root:x:0:\n');
  tree.file('etc/shells', '/bin/sh\n/bin/lab-shell\n/bin/bash\n');
  tree.file('etc/dropbear/key', await hostKey(packages.root), 0o600);
  return tree;
}

async function disksTree(packages: GuestPackages): Promise<RootTree> {
  const tree = new RootTree();
  const order = await packages.addModules(tree, 'modules', DISK_MODULES);
  tree.file('modules/disks', order.map((name) => `${name}\n`).join(''));
  return tree;
}

async function toolsTree(packages: GuestPackages): Promise<RootTree> {
  const tree = new RootTree();
  await packages.addPrograms(tree, TOOLS);
  // The shell of busybox prefers its own ip and tc to those of PATH.
  tree.link('bin/sh', 'bash');
  await packages.addModuleTree(tree, NETWORK_MODULES);
  return tree;
}

async function addBusybox(tree: RootTree, packages: GuestPackages): Promise<void> {
  const busybox = join(packages.root, 'bin/busybox');
  tree.file('usr/bin/busybox', await readFile(busybox), 0o755);
  for (const applet of (await programOutput(busybox, '--list')).trim().split('\n')) {
    if (applet !== 'busybox') tree.link(`usr/bin/${applet}`, 'busybox');
  }
}

/** One host key for all guests: they are open anyway. */
async function hostKey(root: string): Promise<Buffer> {
  const work = await mkdtemp(join(tmpdir(), 'meshwork-key-'));
  try {
    const [openssh, own] = [join(work, 'openssh'), join(work, 'dropbear')];
    await writeFile(openssh, newPrivateKey('lab'), { mode: 0o600 });
    const libraries = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'].map((name) => join(root, name)).join(':');
    const convert = join(root, 'usr/lib/dropbear/dropbearconvert');
    const program = existsSync(convert) ? convert : join(root, 'usr/bin/dropbearconvert');
    await programOutput(
      join(root, 'lib64/ld-linux-x86-64.so.2'),
      '--library-path',
      libraries,
      program,
      'openssh',
      'dropbear',
      openssh,
      own,
    );
    return await readFile(own);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
