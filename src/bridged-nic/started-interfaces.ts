/** What ifupdown believes to be up: after a change of names, `ifdown` must find the bridge and not the card. */
import { join } from 'node:path';
import { textAt, writeDurable } from '../disk/durable-file.ts';

/** Debian; busybox and ifupdown-ng. */
const STATE_FILES = ['run/network/ifstate', 'run/ifstate'];
const PERMISSIONS = 0o644;

/** Puts `to` in the place of `from`. Nothing happens where ifupdown did not start `from`. */
export async function renameStarted(root: string, from: string, to: string): Promise<void> {
  for (const name of STATE_FILES) {
    const path = join(root, name);
    const text = await textAt(path);
    const lines = text?.split('\n') ?? [];
    if (text === undefined || !lines.some((line) => line.startsWith(`${from}=`))) continue;
    const changed = lines.map((line) => (line.startsWith(`${from}=`) ? line.replaceAll(from, to) : line));
    await writeDurable(path, changed.join('\n'), PERMISSIONS);
  }
}
