/** The lease files of dhclient, which follow their client to another device. */
import { lstat, readFile, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeDurable } from '../disk/durable-file.ts';

/** Where dhclient has its leases: Debian, Red Hat, and systems that start from a network. */
const DIRECTORIES = ['/var/lib/dhcp', '/var/lib/dhclient', '/run'];
const PERMISSIONS = 0o644;

/** The files and devices of one move. */
interface LeaseMove {
  readonly before: string;
  readonly after: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Copies a lease file. dhclient notes in each lease which device has it.
 * Nothing happens where one of the files is a link, or outside the directories of leases.
 */
export async function moveLeases({ before, after, from, to }: LeaseMove, directories = DIRECTORIES): Promise<void> {
  if (!/leases?$/.test(before) || before === after) return;
  if (!(await isIn(before, directories)) || !(await isIn(after, directories))) return;
  const found = await lstat(before).catch(() => undefined);
  if (!found?.isFile()) return;
  const text = await readFile(before, 'utf8');
  const present = await lstat(after).catch(() => undefined);
  if (present !== undefined && !present.isFile()) return;
  await writeDurable(after, text.replaceAll(`interface "${from}";`, `interface "${to}";`), PERMISSIONS);
}

async function isIn(path: string, directories: readonly string[]): Promise<boolean> {
  const above = await realpath(dirname(path)).catch(() => undefined);
  return above !== undefined && directories.includes(above);
}
