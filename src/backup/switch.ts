/**
 * The switch from what a machine has to what was put together beside it. Everything new is on the disk, in the directory
 * `.meshwork-restore/new` beside its place, before the journal of the switch is written: that moment decides. Without a journal
 * the old state stands, and what lies beside it is rubbish. With one, whoever comes next carries the switch to its end: each
 * move can be done again after a power cut at any point of it.
 */
import { basename, dirname, join } from 'node:path';
import { MeshError } from '../model/error.ts';
import * as form from '../protocol/shapes/form.ts';
import { readSealed, type SealedForm, sealed } from '../protocol/shapes/sealed-document.ts';
import { STAGE } from './archive/areas.ts';
import { isOnDisk, type RestoreDisk } from './restore-disk.ts';

/** One name that is replaced, or removed. */
export interface Move {
  readonly target: string;
  /** Whether something comes in its place. */
  readonly isNew: boolean;
}

interface Journal {
  readonly moves: readonly Move[];
}

const MOVES_MAX = 100_000;
const JOURNAL_FORM: SealedForm<Journal> = {
  version: 1,
  shape: form.object({
    moves: form.listOf(
      form.object({ target: form.string({ pattern: /^\//, max: 8_192 }), isNew: form.boolean() }),
      MOVES_MAX,
    ),
  }),
};

/** Where what takes the place of `target` is put together. */
export function newAt(target: string): string {
  return join(dirname(target), STAGE, 'new', basename(target));
}

function oldAt(target: string): string {
  return join(dirname(target), STAGE, 'old', basename(target));
}

/** The journal of a machine. @param state host0's state directory */
export function journalOf(state: string): string {
  return join(state, 'restore.json');
}

/**
 * Decides for the new state, and brings it about. Everything new is below `.meshwork-restore/new`, and its names are synced.
 * @throws MESH_DISK_REFUSED; the old state stands if there is no journal then
 */
export async function switchTo(disk: RestoreDisk, journal: string, moves: readonly Move[]): Promise<void> {
  for (const directory of directoriesOf(moves)) {
    for (const name of ['new', 'old']) await disk.makeDirectory(join(directory, STAGE, name));
  }
  const unfinished = `${journal}.new`;
  await disk.remove(unfinished);
  await disk.file(unfinished, Buffer.from(sealed(JOURNAL_FORM, { moves } satisfies Journal)));
  await disk.rename(unfinished, journal);
  await disk.syncDirectory(dirname(journal));
  await finishSwitch(disk, journal);
}

/**
 * Carries a switch to its end that was decided; does nothing if none was.
 * @returns whether there was one
 * @throws MESH_DISK_REFUSED; MESH_STATE_DAMAGED, MESH_STATE_LATER for a journal that cannot be read
 */
export async function finishSwitch(disk: RestoreDisk, journal: string): Promise<boolean> {
  const bytes = await disk.read(journal);
  if (bytes === undefined) return false;
  const moves = movesIn(journal, bytes.toString('utf8'));
  for (const move of moves) await carryOut(disk, move);
  for (const directory of directoriesOf(moves)) {
    await disk.syncDirectory(directory);
    for (const name of ['new', 'old']) await disk.syncDirectory(join(directory, STAGE, name));
  }
  await disk.remove(journal);
  await disk.syncDirectory(dirname(journal));
  await sweep(disk, directoriesOf(moves));
  return true;
}

/** Removes what lies beside its place, where no switch was decided. */
export async function sweep(disk: RestoreDisk, directories: readonly string[]): Promise<void> {
  for (const directory of directories) await disk.remove(join(directory, STAGE));
}

/** The directories in which something is replaced. */
export function directoriesOf(moves: readonly Pick<Move, 'target'>[]): readonly string[] {
  return [...new Set(moves.map(({ target }) => dirname(target)))];
}

/** The order counts: of the steps of a move, any may have been lost with the power, and each finds out which were. */
async function carryOut(disk: RestoreDisk, { target, isNew }: Move): Promise<void> {
  const [fresh, old] = [newAt(target), oldAt(target)];
  if (isNew && !(await isOnDisk(disk, fresh))) return;
  if (await isOnDisk(disk, target)) {
    // What is there beside an old one came after this switch began, from a program that should not run.
    if (await isOnDisk(disk, old)) await disk.remove(target);
    else await disk.rename(target, old);
  }
  if (isNew) await disk.rename(fresh, target);
}

function movesIn(journal: string, text: string): readonly Move[] {
  const reading = readSealed(JOURNAL_FORM, text);
  if (reading.document !== undefined) return reading.document.moves;
  const fault = reading.later === undefined ? reading.fault : `has format version ${reading.later}`;
  throw new MeshError(
    reading.later === undefined ? 'MESH_STATE_DAMAGED' : 'MESH_STATE_LATER',
    `${journal}, by which a restore is finished, ${fault}`,
    {
      operation: 'finish restore',
      object: journal,
      remedy: 'Remove the file, and restore the backup again: `mesh system restore FILE --force`',
    },
  );
}
