/** The root file system of a node: Debian's programs and libraries, the chosen kernel modules, Meshwork, and the boot scripts. */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { elfSection, strippedProgram } from '../../formats/binary/elf.ts';
import { accountFiles } from './account-files.ts';
import { aliasIndex, chosenModules, dependencyIndex, moduleInfo } from './kernel-modules.ts';
import type { NodeProgram } from './known-node.ts';
import { RootTree } from './root-tree.ts';

/** Where Meshwork is on a node, as in its packages. */
const HOME = 'usr/lib/meshwork';

/** Documentation and locales: left out, because the root is in RAM. */
const DOCUMENTATION =
  /^usr\/(?:share\/(?:bug|doc|gcc|gdb|info|lintian|locale|man)|lib\/x86_64-linux-gnu\/(?:audit|gconv))(?:\/|$)/;

/** Files of Meshwork's bundles that a node does not need: host0's programs, koffi for another libc, and a second copy of the boot scripts. */
const OF_HOST0 =
  /\/dist\/(?:host0\.mjs$|sqlite-worker\.mjs$|node-boot(?:\/|$)|alpine-(?:boot|package)(?:\/|$)|lab(?:\/|$)|.*\/musl)/;

/** Alpine packages that overlays may name and whose programs are in the image under other names: not reported as missing. */
const ALPINE_NAMES = [
  'alpine-base',
  'alpine-baselayout',
  'apk-tools',
  'busybox',
  'busybox-openrc',
  'dropbear',
  'libnftables',
  'libstdc++',
  'linux-lts',
  'linux-virt',
  'meshwork',
  'nodejs',
  'openrc',
];

/** What the root is made of. */
interface RootParts {
  /** The directory into which the userland packages are unpacked. */
  readonly userland: string;
  /** The directory that has the modules, in a directory named `kernelRelease`. */
  readonly kernel: string;
  readonly kernelRelease: string;
  /** Paths of all modules, as in ModuleInfo. */
  readonly modules: readonly string[];
  /** A directory with `dist`, as packaging/bundle.ts makes it, and `bin`. */
  readonly meshwork: string;
  readonly node: NodeProgram;
  /** The directory of the boot scripts, src/image/node/scripts. */
  readonly scripts: string;
  /** Paths of busybox's applets. */
  readonly applets: readonly string[];
  /** Names of the Debian packages in the image. */
  readonly packages: readonly string[];
}

/** Puts the root together in memory. */
export async function nodeRoot(parts: RootParts): Promise<RootTree> {
  const root = new RootTree();
  for (const name of ['dev', 'mnt', 'proc', 'run', 'sys', 'var/log', 'var/pxen/networks']) root.directory(name);
  root.directory('root', 0o700);
  root.directory('tmp', 0o1777);
  root.directory('var/tmp', 0o1777);
  root.link('var/run', '../run');
  await root.copy(parts.userland, '', (path) => !DOCUMENTATION.test(path));
  for (const applet of parts.applets) {
    if (!root.has(applet)) root.link(applet, '/usr/bin/busybox');
  }
  root.link('usr/sbin/init', '/usr/bin/busybox');
  await addModules(root, parts);
  await addMeshwork(root, parts);
  addSettings(root);
  return root;
}

async function addModules(root: RootTree, { kernel, kernelRelease, modules }: RootParts): Promise<void> {
  const directory = join(kernel, kernelRelease);
  const content = new Map<string, Buffer>();
  const chosen = chosenModules(modules, (path) => {
    const module = readFileSync(join(directory, path));
    content.set(path, module);
    return moduleInfo(path, elfSection(module, '.modinfo') ?? Buffer.alloc(0));
  });
  const place = `usr/lib/modules/${kernelRelease}`;
  for (const { path } of chosen) root.file(`${place}/${path}`, content.get(path) ?? '');
  root.file(`${place}/modules.dep`, dependencyIndex(chosen));
  root.file(`${place}/modules.alias`, aliasIndex(chosen));
  root.file(`${place}/modules.builtin`, await readFile(join(directory, 'modules.builtin')));
}

async function addMeshwork(root: RootTree, { meshwork, node, scripts, packages }: RootParts): Promise<void> {
  root.file(`${HOME}/node`, strippedProgram(node.bytes), 0o755);
  root.link('usr/bin/node', '../lib/meshwork/node');
  await root.copy(meshwork, HOME, (path) => !OF_HOST0.test(path));
  root.link('usr/bin/mesh', '../lib/meshwork/bin/mesh');
  for (const name of await readdir(scripts)) {
    const plain = name === 'common' || name === 'inittab';
    root.file(`${HOME}/boot/${name}`, await readFile(join(scripts, name)), plain ? 0o644 : 0o755);
  }
  root.file(`${HOME}/boot/packages`, [...ALPINE_NAMES, ...packages].map((name) => `${name}\n`).join(''));
  root.link('init', `${HOME}/boot/init`);
}

/** Accounts and settings. */
function addSettings(root: RootTree): void {
  for (const { path, text, mode } of accountFiles()) root.file(path, text, mode);
  root.file('etc/shells', '/bin/sh\n/bin/ash\n');
  root.file('etc/hosts', '127.0.0.1 localhost\n::1 localhost\n');
  root.file('etc/nsswitch.conf', 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n');
  root.file('etc/profile', 'export PATH=/usr/sbin:/usr/bin\n');
  root.file('etc/os-release', 'ID=meshwork-node\nID_LIKE=debian\nNAME="Meshwork node"\nPRETTY_NAME="Meshwork node"\n');
}
