/**
 * Where templates are kept: booted machines, each as a file with its memory and a file with its state. They are in a file system of
 * memory, below a directory of this user, and go with a reboot.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import * as form from '../../model/form.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { isRunning, processMarkOf } from '../../services/process/process-mark.ts';
import { markUsed } from '../guest/guest-cache.ts';

/** What is written down of a template. */
export interface TemplateRecord {
  /** A digest of all that its copies must have in common with it. */
  readonly key: string;
  readonly memoryBytes: number;
  /** The overlays, for people. */
  readonly overlays: readonly string[];
}

/** A template with its files. */
export interface Template extends TemplateRecord {
  readonly directory: string;
  readonly memory: string;
  readonly state: string;
}

const RecordShape: form.Shape<TemplateRecord> = form.object({
  key: form.string({ max: 64, pattern: /^[\da-f]{32}$/ }),
  memoryBytes: form.int(1),
  overlays: form.listOf(form.string(), 256),
});

/** A file system of memory on each Linux, which all users may write to. */
const MEMORY_FILES = '/dev/shm';
/** The magic number of tmpfs (`TMPFS_MAGIC`, linux/magic.h). */
const TMPFS = 0x01021994;
/** Memory of this machine that stays free. */
const SPARE_BYTES = 256 * 1024 * 1024;
/** Each takes about 80 MB: that of the topology at work, and of those before. */
const KEPT_MOST = 4;
const UNUSED_MS = 24 * 60 * 60 * 1_000;
const DRAFT = /^draft-(\d+)-(\d+)-/;

/** The directory of all templates of this user. */
export function templateShelf(within = MEMORY_FILES): string {
  return join(within, `meshwork-lab-${process.getuid?.() ?? 0}`);
}

/** The templates that are there, the last used one first. */
export function listTemplates(shelf = templateShelf()): Template[] {
  if (!isOwn(shelf)) return [];
  return readdirSync(shelf)
    .flatMap((name) => readTemplate(join(shelf, name)) ?? [])
    .sort((a, b) => statSync(b.state).mtimeMs - statSync(a.state).mtimeMs);
}

/** The template of a key, which is then marked as used; undefined where there is none. */
export async function findTemplate(key: string, shelf = templateShelf()): Promise<Template | undefined> {
  if (!isOwn(shelf)) return undefined;
  const found = readTemplate(join(shelf, key));
  if (found !== undefined) await markUsed(found.state);
  return found;
}

/** A directory for a template that is being made. Its name says by whom: when that process is gone, it is removed. */
export async function draftTemplate(memoryBytes: number, shelf = templateShelf()): Promise<string> {
  await mkdir(shelf, { mode: 0o700 }).catch(() => undefined);
  if (!isOwn(shelf)) throw noRoom(`${shelf} belongs to another user, or is open to others`);
  const { type, bavail, bsize } = statfsSync(shelf);
  if (type !== TMPFS) throw noRoom(`${shelf} is not in memory`);
  if (bavail * bsize < memoryBytes) throw noRoom(`${shelf} has no room for ${memoryBytes >> 20} MiB`);
  if (availableBytes() < memoryBytes + SPARE_BYTES) throw noRoom('this machine has too little free memory');
  const { pid, startTime } = processMarkOf(process.pid);
  return await mkdtemp(join(shelf, `draft-${pid}-${startTime}-`));
}

/** Gives a draft its name. Where another process was quicker, its template counts. */
export async function shelve(draft: string, record: TemplateRecord, shelf = templateShelf()): Promise<Template> {
  await writeFile(recordIn(draft), `${JSON.stringify(record)}\n`);
  const directory = join(shelf, record.key);
  await rename(draft, directory).catch(() => undefined);
  await sweepTemplates(shelf);
  const template = readTemplate(directory);
  if (template !== undefined) return template;
  throw noRoom(`${directory} cannot be made`);
}

/** Removes a template. Copies that run have what they need. */
export async function removeTemplate({ directory }: Pick<Template, 'directory'>): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

/** Removes the drafts of processes that are gone, and templates that were not used for long or are too many. */
export async function sweepTemplates(shelf = templateShelf(), nowMs = Date.now()): Promise<void> {
  if (!isOwn(shelf)) return;
  for (const name of readdirSync(shelf)) {
    const [, pid, startTime] = DRAFT.exec(name) ?? [];
    if (pid === undefined || startTime === undefined) continue;
    if (!isRunning({ pid: Number(pid), startTime })) await removeTemplate({ directory: join(shelf, name) });
  }
  for (const [index, template] of listTemplates(shelf).entries()) {
    const isOld = nowMs - statSync(template.state).mtimeMs > UNUSED_MS;
    if (isOld || index >= KEPT_MOST) await removeTemplate(template);
  }
}

/** The file of the memory in a directory of a template. */
export const memoryIn = (directory: string): string => join(directory, 'memory');
/** The file of the state. */
export const stateIn = (directory: string): string => join(directory, 'state');
const recordIn = (directory: string): string => join(directory, 'template.json');

function readTemplate(directory: string): Template | undefined {
  const file = recordIn(directory);
  if (!existsSync(file)) return undefined;
  const { document } = readDocument(RecordShape, readFileSync(file, 'utf8'));
  const [memory, state] = [memoryIn(directory), stateIn(directory)];
  if (document === undefined || !existsSync(state) || !existsSync(memory)) return undefined;
  return statSync(memory).size === document.memoryBytes ? { ...document, directory, memory, state } : undefined;
}

/** In a directory of all users, a stranger may have taken the name: what is there would become the memory of machines. */
function isOwn(shelf: string): boolean {
  const found = lstatSync(shelf, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
}

function availableBytes(): number {
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return kib === undefined ? Number.POSITIVE_INFINITY : Number(kib) * 1024;
}

function noRoom(why: string): MeshError {
  return new MeshError('MESH_LAB_TEMPLATE', why, {
    operation: 'make a template',
    rule: `A template takes as much memory as a machine, below ${MEMORY_FILES}.`,
    remedy: 'Machines boot cold, which takes longer. Remove templates that nobody needs: `mesh lab template remove`.',
  });
}
