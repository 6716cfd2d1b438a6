/** A directory to which a stranger may write while root removes it. */
import { constants } from 'node:fs';
import { type FileHandle, open, opendir, rmdir, unlink } from 'node:fs/promises';
import { errnoOf } from '../formats/conf/conf-reader.ts';

/** What is not a directory by itself, such as a link to one, is not opened. */
const FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Each level takes a descriptor. */
const DEPTH_MAX = 64;

/**
 * Removes a directory with all that is in it. Each name is taken from the open directory in place of its path: so a stranger who puts a
 * link in the place of a directory meanwhile cannot have files removed elsewhere. The stranger must not be able to write to the directory
 * around it. Nothing happens if it is not there.
 * @throws an error of the file system, also for a tree that is too deep
 */
export async function removeStrangersTree(path: string): Promise<void> {
  await removeEntry(path, DEPTH_MAX);
}

async function removeEntry(path: string, levels: number): Promise<void> {
  const code = await errnoIn(unlink(path));
  if (code === undefined || code === 'ENOENT') return;
  if (levels === 0) throw new RangeError(`${path} has more than ${DEPTH_MAX} directories in each other`);
  const directory = await open(path, FLAGS);
  try {
    // From now on the stranger can put nothing there, also from a directory that the stranger has open.
    await directory.chown(process.getuid?.() ?? 0, process.getgid?.() ?? 0);
    await directory.chmod(0o700);
    await removeContent(directory, levels);
  } finally {
    await directory.close();
  }
  await rmdir(path);
}

async function removeContent({ fd }: FileHandle, levels: number): Promise<void> {
  const here = `/proc/self/fd/${fd}`;
  for await (const { name } of await opendir(here)) await removeEntry(`${here}/${name}`, levels - 1);
}

async function errnoIn(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => errnoOf(error) ?? 'EIO',
  );
}
