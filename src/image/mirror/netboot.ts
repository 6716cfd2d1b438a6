/**
 * Kernel, initramfs and modloop of one release of Alpine, from its directory `netboot-X.Y.Z`. Nothing there is signed. So they are
 * held to the hashes in mirror.conf, or come from a source that nobody on the way can change: by HTTPS, or from a directory. And
 * they are held to each other: the kernel names its release, and the initramfs has the modules of that very kernel.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { ApkFault } from '../../formats/apk/apk-fault.ts';
import { kernelBytesOf, kernelReleaseOf } from '../../formats/binary/bz-image.ts';
import type { MirrorSettings } from '../../formats/host0/mirror-conf.ts';
import { MeshError } from '../../model/error.ts';
import type { Fetcher } from './fetcher.ts';
import type { GenerationBoot } from './generation.ts';
import { modulesIn, requireSquashfs } from './modloop.ts';

/** The header of a kernel, and its version behind that. */
const KERNEL_BEGIN_BYTES = 1024 * 1024;
/** An initramfs of Alpine unpacks to less than a tenth of this. */
const INITRAMFS_MAX = 1024 ** 3;

/** What the generation before had, and what becomes of that. */
interface NetbootInput {
  readonly before: GenerationBoot | undefined;
  /** Whether the files on the disk are read again. */
  readonly verify: boolean;
  readonly onStage: (stage: string) => void;
}

/**
 * Fetches the three files, unless the generation before has them: a release does not change.
 * @throws MESH_MIRROR_KERNEL, MESH_MIRROR_FETCH, MESH_MIRROR_UNTRUSTED, MESH_MIRROR_FORGED
 */
export async function fetchNetboot(
  fetcher: Fetcher,
  { source, release, architecture, netboot }: MirrorSettings,
  { before, verify, onStage }: NetbootInput,
): Promise<GenerationBoot | undefined> {
  if (netboot === undefined) return undefined;
  const { version, kernel, sha256: wanted } = netboot;
  const directory = `${release}/releases/${architecture}/netboot-${version}`;
  const names = [`vmlinuz-${kernel}`, `initramfs-${kernel}`, `modloop-${kernel}`];
  const isSame = (name: string, index: number) =>
    before?.files.some((file) => file.name === name && file.sha256 === (wanted?.[index] ?? file.sha256));
  if (before?.path === directory && names.every(isSame)) {
    const there = await Promise.all(before.files.map(({ sha256, bytes }) => fetcher.hasPlain(sha256, bytes, verify)));
    if (there.every((has) => has)) return before;
  }
  if (wanted === undefined && /^http:/i.test(source)) throw unvouched(source);
  onStage('fetching kernel, initramfs and modloop');
  let kernelRelease = '';
  const checks = [
    async (file: string) => {
      kernelRelease = await releaseOf(file);
    },
    (file: string) => requireModules(file, kernelRelease),
    (file: string) => requireModloop(file, kernelRelease),
  ];
  const files = [];
  for (const [index, name] of names.entries()) {
    const found = await fetcher.plain(`${directory}/${name}`, checks[index] ?? requireSquashfs, wanted?.[index]);
    files.push({ name, ...found });
  }
  return { version, path: directory, kernelRelease, files };
}

function unvouched(source: string): MeshError {
  return new MeshError('MESH_MIRROR_UNTRUSTED', `nothing vouches for a kernel from ${source}`, {
    operation: 'fetch netboot files',
    object: source,
    rule: 'Alpine does not sign kernel, initramfs and modloop, and anybody on the way can change what comes by plain HTTP.',
    remedy: 'Write the SHA-256 of the three files at `netboot_sha256` in mirror.conf, or use a source with https.',
  });
}

async function releaseOf(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const begin = Buffer.alloc(KERNEL_BEGIN_BYTES);
    const { bytesRead } = await handle.read(begin, 0, begin.length, 0);
    const release = kernelReleaseOf(begin.subarray(0, bytesRead));
    const { size } = await handle.stat();
    if (release !== undefined && size < kernelBytesOf(begin)) throw new ApkFault('damaged', 'it is cut off');
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
  let found = false;
  const source = createReadStream(file);
  const unpacked = source.pipe(createGunzip());
  source.once('error', (error) => unpacked.destroy(error));
  try {
    for await (const piece of unpacked) {
      bytes += piece.length;
      if (bytes > INITRAMFS_MAX) throw new ApkFault('too large', 'it unpacks to more than a gibibyte');
      // The rest is read, too: only its end shows that the file is not cut off.
      if (found) continue;
      const window = Buffer.concat([held, piece]);
      found = window.includes(wanted);
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
  if (found) return;
  throw unfit(
    `the kernel is ${kernelRelease}, and the initramfs has ${other === undefined ? 'no modules' : `the modules of ${other}`}`,
  );
}

/** modloop has the modules of this kernel. */
async function requireModloop(file: string, kernelRelease: string): Promise<void> {
  await requireSquashfs(file);
  const releases = await modulesIn(file);
  if (releases === undefined || releases.includes(kernelRelease)) return;
  const has = releases.length === 0 ? 'no modules' : `the modules of ${releases.join(', ')}`;
  throw unfit(`the kernel is ${kernelRelease}, and modloop has ${has}`);
}

function unfit(why: string): MeshError {
  return new MeshError('MESH_MIRROR_KERNEL', why, {
    operation: 'check netboot files',
    rule: 'A kernel loads only modules that were built with it.',
    remedy: 'Name another release at `netboot` in mirror.conf, or use another source.',
  });
}
