/**
 * `mesh system image node`: builds the kernel and the initramfs that machines boot, from Debian packages. The node's root
 * is in RAM. The same packages and the same Meshwork give the same bytes.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { constants, createZstdCompress } from 'node:zlib';
import { cpio } from '../../formats/binary/cpio.ts';
import { MeshError } from '../../model/error.ts';
import { VERSION } from '../../model/version.ts';
import { Apt, type DebianPackage } from '../packages/apt.ts';
import { programOutput } from '../packages/program-output.ts';
import { Generations, type ImageFile, type NodeImage } from './generations.ts';
import { checkedNodeHash } from './known-node.ts';
import { nodeRoot } from './node-root.ts';

/** Debian's kernel package for real hardware. */
export const DEFAULT_KERNEL = 'linux-image-amd64';

/** Debian packages of every node: busybox, SSH, and the libraries of Node, koffi and nftables. */
const USERLAND = ['busybox-static', 'dropbear-bin', 'libc6', 'libgcc-s1', 'libnftables1', 'libstdc++6'];

/** Skips the kernel's self-tests of its ciphers: they take half of the time until the first process starts. */
const KERNEL_ARGUMENTS = ['cryptomgr.notests'];

/** Skips a check of the timer. Under an emulator that waits some milliseconds for a processor the check fails, and the kernel panics. */
const VIRTUAL_ARGUMENTS = ['no_timer_check'];
/** Matches Debian's kernels that are for virtual machines only: linux-image-cloud-amd64. */
const VIRTUAL_KERNEL = /-cloud-/;

/** Kernels unpack zstd nearly as fast as any format. Higher levels pack slowly, and their larger windows unpack slowly. */
const ZSTD_LEVEL = 9;

/** What to build an image from. */
interface ImageOptions {
  /** host0's state directory (`Paths.state`). */
  readonly stateDirectory: string;
  /** A Debian package that has a kernel, or depends on one that has. */
  readonly kernelPackage: string;
  /** Further packages for the root; their dependencies are added. */
  readonly packages: readonly string[];
  readonly programs: NodePrograms;
  /** Called with what is being done, as a verb phrase in -ing. */
  readonly onStage: (stage: string) => void;
}

/** Where Meshwork's own programs for a node come from. */
interface NodePrograms {
  /** Writes `dist` and `bin` to a directory. */
  readonly install: (directory: string) => Promise<void>;
  /** The directory of the boot scripts. */
  readonly scripts: string;
  /** The file of the Node.js executable. */
  readonly node: string;
  readonly nodeVersion: string;
}

/**
 * Builds an image and publishes it: machines boot it from now on.
 * @throws MESH_IMAGE_PACKAGES, MESH_IMAGE_FAILED, MESH_DISK_REFUSED
 */
export async function buildNodeImage(options: ImageOptions): Promise<NodeImage> {
  const { stateDirectory, onStage } = options;
  const work = await mkdtemp(join(tmpdir(), 'meshwork-image-'));
  try {
    const cache = join(stateDirectory, 'images/cache');
    await mkdir(cache, { recursive: true });
    onStage('Looking up packages');
    const apt = new Apt(cache);
    const userland = await apt.closure([...USERLAND, ...options.packages]);
    const kernel = (await apt.closure([options.kernelPackage])).filter(({ name }) => name.startsWith('linux-image-'));
    onStage('Fetching packages');
    const packages = [...userland, ...kernel.filter((one) => !userland.some(({ name }) => name === one.name))];
    const files = await apt.fetch(packages);
    onStage('Unpacking packages');
    for (const [index, file] of files.entries()) {
      await programOutput('dpkg-deb', '-x', file, join(work, index < userland.length ? 'userland' : 'kernel'));
    }
    return await assembled(options, work, packages);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function assembled(
  { stateDirectory, kernelPackage, programs, onStage }: ImageOptions,
  work: string,
  packages: readonly DebianPackage[],
): Promise<NodeImage> {
  const kernel = await unpackedKernel(join(work, 'kernel'), kernelPackage);
  onStage('Bundling Meshwork');
  const meshwork = join(work, 'meshwork');
  await programs.install(meshwork);
  onStage('Putting the root together');
  const userland = join(work, 'userland');
  const busybox = join(userland, 'bin/busybox');
  const node = { version: programs.nodeVersion, bytes: await readFile(programs.node) };
  const nodeSha256 = checkedNodeHash(node);
  const root = await nodeRoot({
    userland,
    kernel: kernel.modules,
    kernelRelease: kernel.release,
    modules: kernel.paths,
    meshwork,
    node,
    scripts: programs.scripts,
    applets: (await programOutput(busybox, '--list-full')).trim().split('\n'),
    packages: packages.map(({ name }) => name),
  });
  onStage('Packing');
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
  const initrd = await buffer(Readable.from(cpio(root.entries())).pipe(compress));
  onStage('Writing');
  const files = { vmlinuz: await readFile(kernel.vmlinuz), initrd };
  const image: NodeImage = {
    generation: createHash('sha256').update(files.vmlinuz).update(files.initrd).digest('hex').slice(0, 16),
    flavor: 'debian',
    kernelRelease: kernel.release,
    kernelArguments: [...KERNEL_ARGUMENTS, ...(VIRTUAL_KERNEL.test(kernelPackage) ? VIRTUAL_ARGUMENTS : [])],
    vmlinuz: described(files.vmlinuz),
    initrd: described(files.initrd),
    packages: packages.map(({ name, version }) => `${name} ${version}`),
    meshworkVersion: VERSION,
    nodeVersion: programs.nodeVersion,
    nodeSha256,
  };
  await new Generations(stateDirectory).publish(image, files);
  return image;
}

interface UnpackedKernel {
  readonly release: string;
  readonly vmlinuz: string;
  /** `lib/modules`: the directory that has one for the release. */
  readonly modules: string;
  /** Paths of the modules, relative to the release's directory, sorted. */
  readonly paths: readonly string[];
}

async function unpackedKernel(directory: string, name: string): Promise<UnpackedKernel> {
  const boot = join(directory, 'boot');
  const vmlinuz = (await readdir(boot).catch(() => [])).find((file) => file.startsWith('vmlinuz-'));
  if (vmlinuz === undefined) {
    throw new MeshError('MESH_IMAGE_FAILED', `the package ${name} brings no kernel`, {
      operation: 'build image',
      object: name,
      rule: 'A kernel package has a /boot/vmlinuz-RELEASE, or depends on a linux-image- package that has one.',
      remedy: `Name another, for example --kernel ${DEFAULT_KERNEL}, or linux-image-cloud-amd64 for virtual machines.`,
    });
  }
  const release = vmlinuz.replace(/^vmlinuz-/, '');
  for (const modules of [join(directory, 'lib/modules'), join(directory, 'usr/lib/modules')]) {
    const files = await readdir(join(modules, release), { recursive: true }).catch(() => []);
    const found = files.filter((path) => /\.ko(?:\.xz)?$/.test(path)).sort();
    if (found.length === 0) continue;
    const packed = found.filter((path) => path.endsWith('.xz')).map((path) => join(modules, release, path));
    for (let at = 0; at < packed.length; at += 500) {
      await programOutput('xz', '--decompress', ...packed.slice(at, at + 500));
    }
    return { release, vmlinuz: join(boot, vmlinuz), modules, paths: found.map((path) => path.replace(/\.xz$/, '')) };
  }
  throw new MeshError('MESH_IMAGE_FAILED', `the package ${name} brings a kernel without modules`, { object: name });
}

function described(content: Uint8Array): ImageFile {
  return { bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}
