/** The cache of guests and overlays: where it is, and what of it nobody will use again. */
import { lstat, mkdir, readdir, rm, utimes } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where guests and overlays are kept. They may be deleted at any time while no lab runs. */
export function guestCache(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'meshwork/lab');
}

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Making a guest takes seconds: what is older belongs to a process that was killed. */
const DRAFT_MS = DAY_MS;
/** Each change of an overlay leaves an archive and an initramfs of the old one. */
const UNUSED_MS = 30 * DAY_MS;
const DRAFT = /^draft-|\.new$/;
const KEPT = /^(?:guest-[\da-f]+|(?:initrd|overlay)-[\da-f]+\.cpio)$/;
/** Where packages of guests are unpacked. */
export const UNPACKED_PREFIX = 'meshwork-guest-';

/** Notes that a file or directory of the cache was used. */
export async function markUsed(path: string): Promise<void> {
  const now = new Date();
  // Another user may own the cache.
  await utimes(path, now, now).catch(() => undefined);
}

/** Makes the cache, and removes what killed processes have left and what was not used for long. */
export async function prepareCache(nowMs = Date.now()): Promise<void> {
  const cache = guestCache();
  await mkdir(cache, { recursive: true });
  await sweep(cache, DRAFT, nowMs - DRAFT_MS);
  await sweep(cache, KEPT, nowMs - UNUSED_MS);
  await sweep(tmpdir(), new RegExp(`^${UNPACKED_PREFIX}`), nowMs - DRAFT_MS);
}

async function sweep(directory: string, names: RegExp, beforeMs: number): Promise<void> {
  for (const name of (await readdir(directory)).filter((each) => names.test(each))) {
    const path = join(directory, name);
    const found = await lstat(path).catch(() => undefined);
    // In a directory of all users, a stranger may have taken the name.
    if (found === undefined || found.uid !== process.getuid?.() || found.mtimeMs > beforeMs) continue;
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}
