/**
 * Kernel, initramfs and modloop of one release of Alpine, from its directory `netboot-X.Y.Z`. Nothing there is signed, so they
 * are held to each other: the kernel names its release, and modloop and initramfs have the modules of that very kernel.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { ApkFault } from '../../formats/apk/apk-fault.ts';
import { kernelReleaseOf } from '../../formats/binary/bz-image.ts';
import type { MirrorSettings } from '../../formats/host0/mirror-conf.ts';
import { MeshError } from '../../model/error.ts';
import type { Fetcher } from './fetcher.ts';
import type { GenerationBoot } from './generation.ts';

const SQUASHFS_MAGIC = 0x73717368;
const SQUASHFS_HEADER_BYTES = 96;
/** The header of a kernel, and its version behind that. */
const KERNEL_BEGIN_BYTES = 1024 * 1024;
/** An initramfs of Alpine unpacks to less than a tenth of this. */
const INITRAMFS_MAX = 1024 ** 3;

/**
 * Fetches the three files, unless the generation before has them: a release does not change.
 * @throws MESH_MIRROR_KERNEL, MESH_MIRROR_FETCH
 */
export async function fetchNetboot(
  fetcher: Fetcher,
  { release, architecture, netboot }: MirrorSettings,
  before: GenerationBoot | undefined,
  onStage: (stage: string) => void,
): Promise<GenerationBoot | undefined> {
  if (netboot === undefined) return undefined;
  const { version, kernel } = netboot;
  const names = [`vmlinuz-${kernel}`, `initramfs-${kernel}`, `modloop-${kernel}`];
  if (before?.version === version && names.every((name) => before.files.some((file) => file.name === name))) {
    const there = await Promise.all(before.files.map(({ sha256, bytes }) => fetcher.hasPlain(sha256, bytes)));
    if (there.every((has) => has)) return before;
  }
  onStage('fetching kernel, initramfs and modloop');
  let kernelRelease = '';
  const checks = [
    async (file: string) => {
      kernelRelease = await releaseOf(file);
    },
    (file: string) => requireModules(file, kernelRelease),
    requireSquashfs,
  ];
  const files = [];
  for (const [index, name] of names.entries()) {
    const path = `${release}/releases/${architecture}/netboot-${version}/${name}`;
    const found = await fetcher.plain(path, checks[index] ?? requireSquashfs);
    files.push({ name, ...found });
  }
  return { version, kernelRelease, files };
}

async function releaseOf(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const begin = Buffer.alloc(KERNEL_BEGIN_BYTES);
    const { bytesRead } = await handle.read(begin, 0, begin.length, 0);
    const release = kernelReleaseOf(begin.subarray(0, bytesRead));
    if (release !== undefined) return release;
  } finally {
    await handle.close();
  }
  throw unfit('the kernel does not name its release');
}

/** The initramfs has its modules in a directory that is named after the kernel. */
async function requireModules(file: string, kernelRelease: string): Promise<void> {
  const wanted = Buffer.from(`lib/modules/${kernelRelease}/`);
  const any = /lib\/modules\/([A-Za-z0-9._-]+)\//;
  let held = Buffer.alloc(0);
  let bytes = 0;
  let other: string | undefined;
  const source = createReadStream(file);
  const unpacked = source.pipe(createGunzip());
  source.once('error', (error) => unpacked.destroy(error));
  try {
    for await (const piece of unpacked) {
      bytes += piece.length;
      if (bytes > INITRAMFS_MAX) throw new ApkFault('too large', 'it unpacks to more than a gibibyte');
      const window = Buffer.concat([held, piece]);
      if (window.includes(wanted)) return;
      other ??= any.exec(window.toString('latin1'))?.[1];
      held = window.subarray(-256);
    }
  } catch (error) {
    if (error instanceof ApkFault) throw error;
    throw new ApkFault('damaged', 'it is not compressed with gzip, or is cut off');
  } finally {
    source.destroy();
    unpacked.destroy();
  }
  throw unfit(
    `the kernel is ${kernelRelease}, and the initramfs has ${other === undefined ? 'no modules' : `the modules of ${other}`}`,
  );
}

async function requireSquashfs(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    const header = Buffer.alloc(SQUASHFS_HEADER_BYTES);
    const { bytesRead } = await handle.read(header, 0, header.length, 0);
    const { size } = await handle.stat();
    if (bytesRead < header.length || header.readUInt32LE(0) !== SQUASHFS_MAGIC)
      throw new ApkFault('damaged', 'it is no squashfs');
    if (header.readBigUInt64LE(40) > BigInt(size)) throw new ApkFault('damaged', 'it is cut off');
  } finally {
    await handle.close();
  }
}

function unfit(why: string): MeshError {
  return new MeshError('MESH_MIRROR_KERNEL', why, {
    operation: 'check netboot files',
    rule: 'A kernel loads only modules that were built with it.',
    remedy: 'Name another release at `netboot` in mirror.conf, or use another source.',
  });
}
