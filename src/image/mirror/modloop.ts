/**
 * modloop, the squashfs with the modules of a kernel. Its directories are compressed, mostly by xz, which Node.js cannot read: so
 * its modules are held to the kernel where squashfs-tools are installed, and otherwise the file's header alone is read.
 */
import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ApkFault } from '../../formats/apk/apk-fault.ts';
import { errnoOf } from '../../formats/conf/conf-reader.ts';

const SQUASHFS_MAGIC = 0x73717368;
const SQUASHFS_HEADER_BYTES = 96;
/** A line for each of some thousand modules. */
const LISTED_BYTES_MAX = 64 * 1024 * 1024;
const LIST_MS = 60_000;

/** Whether the file is a whole squashfs, as far as its header tells. @throws ApkFault `damaged` */
export async function requireSquashfs(file: string): Promise<void> {
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

/**
 * The releases of kernels whose modules are in the file: names of directories in `modules`.
 * @returns undefined where no program can read the file
 * @throws ApkFault `damaged`
 */
export async function modulesIn(file: string): Promise<readonly string[] | undefined> {
  const environment = { ...process.env, LC_ALL: 'C' };
  try {
    const { stdout } = await promisify(execFile)('unsquashfs', ['-l', '-d', '', file], {
      maxBuffer: LISTED_BYTES_MAX,
      timeout: LIST_MS,
      env: environment,
    });
    const names = stdout.split('\n').flatMap((line) => /^\/?modules\/([^/]+)$/.exec(line)?.[1] ?? []);
    return names.filter((name) => name !== 'firmware');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new ApkFault('damaged', 'its squashfs cannot be read');
  }
}
