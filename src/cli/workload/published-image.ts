/**
 * Puts a disk image into the folder isos of host0. A node can fetch each file there at any moment, so a name appears with the whole
 * content only; while it is copied, the file has a name that is not published (disk/published-file.ts).
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, lstat, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ifThere, syncDirectory } from '../../disk/durable-file.ts';
import { UNPUBLISHED_END } from '../../disk/published-file.ts';
import { IMAGE_HEAD_BYTES, imageKind } from '../../formats/binary/image-kind.ts';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { MeshError } from '../../model/error.ts';

/** A copy that was killed is removed after this time. One under way is written to all the time. */
const PART_KEPT_MS = 3_600_000;

/** Looks at the head of a file. @param named as people wrote it. @throws MESH_DISK_IMAGE_UNFIT */
export async function mustBeImage(path: string, named: string): Promise<void> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw MeshError.from(cause);
  });
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(IMAGE_HEAD_BYTES), 0, IMAGE_HEAD_BYTES, 0);
    imageKind(buffer.subarray(0, bytesRead), size, named);
  } finally {
    await file.close();
  }
}

/** Looks whether a name in the folder is free, or that of an earlier copy of the file. @throws MESH_USAGE */
export async function mustNotBeAnother(file: string, target: string): Promise<'free' | 'same'> {
  const [known, other] = await Promise.all([stat(file), ifThere(stat(target))]);
  if (other === undefined) return 'free';
  if (other.size === known.size && other.mtimeMs >= known.mtimeMs) return 'same';
  throw new MeshError('MESH_USAGE', `${target} is there, and is another file`, {
    remedy: 'Give your file another name, or remove that one.',
  });
}

/** Copies a file into the folder, unless it is there. @throws MESH_USAGE if another file has the name */
export async function publishImage(file: string, isos: string): Promise<void> {
  await mkdir(isos, { recursive: true });
  const name = basename(file);
  const target = join(isos, name);
  await sweepParts(isos, name);
  if ((await mustNotBeAnother(file, target)) === 'same') return;
  const part = `${target}.${randomBytes(4).toString('hex')}${UNPUBLISHED_END}`;
  try {
    await copyFile(file, part, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    const copy = await open(part, 'r');
    await copy.sync().finally(() => copy.close());
    await link(part, target).catch(async (error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
      await mustNotBeAnother(file, target);
    });
  } finally {
    await rm(part, { force: true });
  }
  await syncDirectory(isos);
}

async function sweepParts(isos: string, name: string): Promise<void> {
  for (const other of await readdir(isos)) {
    if (!other.startsWith(`${name}.`) || !other.endsWith(UNPUBLISHED_END)) continue;
    const path = join(isos, other);
    const found = await ifThere(lstat(path));
    if (found !== undefined && Date.now() - found.mtimeMs > PART_KEPT_MS) await rm(path, { force: true });
  }
}
