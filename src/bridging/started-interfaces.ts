/** What ifupdown believes to be up: after a change of names, `ifdown` must find the bridge and not the card. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { textAt, writeDurable } from '../disk/durable-file.ts';

/** Debian; busybox and ifupdown-ng. */
const STATE_FILES = ['run/network/ifstate', 'run/ifstate'];
const PERMISSIONS = 0o644;

/** Debian has a file for each name, too, which decides. */
const NAMED_FILE = 'run/network/ifstate.';

/** Puts `to` in the place of `from`. Nothing happens where ifupdown did not start `from`. */
export async function renameStarted(root: string, from: string, to: string): Promise<void> {
  if (from === to) return;
  for (const name of STATE_FILES) {
    const path = join(root, name);
    const lines = (await textAt(path))?.split('\n') ?? [];
    if (!lines.some((line) => line.startsWith(`${from}=`))) continue;
    const changed = lines.map((line) => (line.startsWith(`${from}=`) ? `${to}=${to}` : line));
    await writeDurable(path, changed.join('\n'), PERMISSIONS);
  }
  const named = join(root, `${NAMED_FILE}${from}`);
  if ((await textAt(named)) === undefined) return;
  await writeDurable(join(root, `${NAMED_FILE}${to}`), `${to}\n`, PERMISSIONS);
  await rm(named, { force: true });
}
