/**
 * The store of host0, opened whatever state its file is in. A damaged file is moved aside and a new store takes its place; a file
 * of a later version stays as it is, and host0 works with a store beside it. Both are findings, and so is a store that was
 * emptied: a store never begins anew without a word.
 */
import { randomBytes } from 'node:crypto';
import { lstatSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { asideOf, isAside, moveAside } from '../../disk/aside.ts';
import { StateFile, type StateForm } from '../../disk/state-file.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';
import { TimeShape } from '../../protocol/shapes/parts.ts';
import type { StoreOpening } from './sqlite-file.ts';
import { SqliteStore } from './sqlite-store.ts';
import { StoreFault } from './sqlite-thread.ts';

/** `epoch.json`: which store host0 had last. Written only when the store is another one. */
interface EpochRecord {
  readonly epoch: string;
  /** Since when, ISO 8601. */
  readonly since: string;
  /** The epoch of the store before this one. */
  readonly before?: string;
  /** The words by which the store is told from a copy (`StoreOpening`): the store has one of these. */
  readonly openings?: readonly string[];
}

/** The word of the last opening, and those of openings that a crash cut short. */
const OPENINGS_MAX = 8;
const EpochShape = form.string({ pattern: /^[0-9a-f]{16}$/ });
const EPOCH_FILE: StateForm<EpochRecord> = {
  version: 1,
  shape: form.object({
    epoch: EpochShape,
    since: TimeShape,
    before: form.exactOptional(EpochShape),
    openings: form.exactOptional(form.listOf(EpochShape, OPENINGS_MAX)),
  }),
  holds: "the epoch of host0's store",
  remedy: 'Nothing is to be done: host0 writes it anew.',
  comesBack: true,
};

/** How long it is told that a store was emptied: whoever looks once a day reads it. */
const EMPTIED_MS = 86_400_000;
const GONE = 'the members and machines that were known are gone';
const RESTORE = 'Nodes report again within seconds. For machines and their network cards, stop host0, restore';

/** A store, where it is, and what is not well with how it was opened. */
export interface OpenedStore extends HealthSource {
  readonly store: SqliteStore;
  readonly path: string;
}

/**
 * Opens `store.db` in the state directory.
 * @throws MESH_STORE_BROKEN when another process has the store, or the system refuses the file; MESH_DISK_REFUSED
 */
export async function openHost0Store(stateDirectory: string, clock: Clock): Promise<OpenedStore> {
  const path = join(stateDirectory, 'store.db');
  try {
    const file = new StateFile(join(stateDirectory, 'epoch.json'), EPOCH_FILE);
    const last = await file.read();
    const opening = await nextOpening(file, last);
    const { store, damage } = await openOrReplace(path, opening);
    const record = await recordEpoch(file, last, store, opening, clock);
    const isRecent = () => clock.wallTime().getTime() - Date.parse(record.since) < EMPTIED_MS;
    const health = (): readonly Finding[] => {
      if (isAside(path)) return [damagedFinding(path, damage ?? `${path} was damaged`)];
      return record.before !== undefined && isRecent() ? [emptiedFinding(path)] : [];
    };
    return { store, path, health };
  } catch (thrown) {
    if (!(thrown instanceof StoreFault) || thrown.file !== 'later') throw thrown;
    const beside = join(stateDirectory, 'store.format-1.db');
    const { store } = await openOrReplace(beside);
    return { store, path: beside, health: () => [laterFinding(path, beside, thrown)] };
  }
}

/**
 * The word of this opening. Both words are in the file before the store gets the new one, so that a crash between the two writes
 * makes no store a foreign one. Undefined when the disk takes no new word: then the store keeps its old one.
 */
async function nextOpening(
  file: StateFile<EpochRecord>,
  last: EpochRecord | undefined,
): Promise<StoreOpening | undefined> {
  const next = randomBytes(8).toString('hex');
  const { openings } = last ?? {};
  if (last === undefined) return { next };
  try {
    await file.write({ ...last, openings: [...(openings ?? []).slice(1 - OPENINGS_MAX), next] });
  } catch {
    return undefined;
  }
  return { next, ...(openings !== undefined && { accepted: openings }) };
}

async function openOrReplace(
  path: string,
  opening?: StoreOpening,
): Promise<{ readonly store: SqliteStore; readonly damage?: string }> {
  const options = opening === undefined ? {} : { opening };
  try {
    if (!isPlainFile(path))
      throw new StoreFault(path, 'open store', { failed: 'no plain file', code: 0, file: 'damaged' });
    return { store: await SqliteStore.open(path, options) };
  } catch (thrown) {
    if (!(thrown instanceof StoreFault) || thrown.file !== 'damaged') throw thrown;
    if (!(await setAside(path))) throw thrown;
    return { store: await SqliteStore.open(path, options), damage: thrown.message };
  }
}

/** Whether there is a file of the usual kind, or nothing. */
function isPlainFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? true;
}

/** Moves a store aside with its log of changes, which goes first: sqlite would apply it to the new store. */
async function setAside(path: string): Promise<boolean> {
  try {
    rmSync(`${asideOf(path)}-wal`, { force: true });
    if (lstatSync(`${path}-wal`, { throwIfNoEntry: false }) !== undefined) {
      renameSync(`${path}-wal`, `${asideOf(path)}-wal`);
    }
    return await moveAside(path);
  } catch {
    return false;
  }
}

/** Compares the epoch with that of the last start. Never rejects. */
async function recordEpoch(
  file: StateFile<EpochRecord>,
  last: EpochRecord | undefined,
  { epoch, isRenewed }: SqliteStore,
  opening: StoreOpening | undefined,
  clock: Clock,
): Promise<EpochRecord> {
  const openings = opening === undefined ? (last?.openings ?? []) : [opening.next];
  // A store that was restored from a backup. One that came back without a new epoch is of an earlier version.
  const isBack = last === undefined || last.before === epoch || isRenewed;
  const record: EpochRecord =
    last?.epoch === epoch
      ? { ...last, openings }
      : { epoch, since: clock.wallTime().toISOString(), ...(!isBack && { before: last.epoch }), openings };
  // Without room on the disk, it is told until this process ends, and again at the next start.
  await file.write(record).catch(() => undefined);
  return record;
}

function damagedFinding(path: string, message: string): Finding {
  const aside = asideOf(path);
  const error = new MeshError('MESH_STORE_BROKEN', `${message}; ${GONE}`, {
    remedy: `${RESTORE} ${path} from a backup, and start host0. Then remove ${aside}, which is the damaged file.`,
  });
  return findingOf(error, { object: path, severity: 'warning' });
}

function emptiedFinding(path: string): Finding {
  const error = new MeshError('MESH_STORE_BROKEN', `${path} was emptied or is another one than before: ${GONE}`, {
    remedy: `${RESTORE} ${path} from a backup, and start host0. Without a backup, nothing is to be done.`,
  });
  return findingOf(error, { object: path, severity: 'warning' });
}

function laterFinding(path: string, beside: string, { message }: StoreFault): Finding {
  const error = new MeshError('MESH_STATE_LATER', `${message}: it is left as it is, and host0 works with ${beside}`, {
    remedy: `Install the later version of Meshwork again, or move ${path} away and ${beside} in its place; then restart host0.`,
  });
  return findingOf(error, { object: path, severity: 'warning' });
}
