/**
 * Takes a backup of a host0 that goes on running. The files are hashed first, then comes the store, and then each file must be as it
 * was: so all of the backup was there at one moment, that of the store.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ifThere } from '../disk/durable-file.ts';
import { MirrorStore } from '../image/mirror/mirror-store.ts';
import { MeshError } from '../model/error.ts';
import { VERSION } from '../model/version.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import { backupText } from '../store/store-backup.ts';
import { archiveStream } from './archive/archive-writer.ts';
import { areasOf, type Extras, leftOutOf } from './archive/areas.ts';
import { bytesBelow, contentsOf } from './archive/contents.ts';
import { type BackupManifest, MANIFEST_HOLDS } from './archive/manifest.ts';
import { ownNics } from './own-nics.ts';
import { storeNow } from './store-access.ts';

/** A backup that can be written. */
export interface TakenBackup {
  readonly manifest: BackupManifest;
  /** Pipes, sockets and devices, which no backup has. */
  readonly skipped: readonly string[];
  /** The bytes, once. */
  readonly archive: () => Readable;
}

/** Reads what a backup has. @throws MESH_BACKUP_CHANGED, MESH_STORE_* */
export async function takeHost0(paths: Paths, extras: Extras): Promise<TakenBackup> {
  const { entries: found, skipped } = await contentsOf(areasOf(paths, extras));
  if (!found.some(({ entry }) => entry.path === 'host0')) throw noHost0(paths.host0);
  const [nics, installation, generations, leftOut] = await Promise.all([
    ownNics(),
    installationIn(paths.state),
    new MirrorStore(paths.state).list(),
    leftOutNow(paths, extras),
  ]);
  const copy = await storeNow(paths);
  const store = Buffer.from(backupText(copy));
  const manifest: BackupManifest = {
    holds: MANIFEST_HOLDS,
    takenAt: copy.takenAt,
    meshwork: VERSION,
    host: hostname(),
    ...(installation !== undefined && { installation }),
    nics,
    leftOut,
    generations: generations.map(({ number, builtAt, current }) => ({ number, builtAt, current })),
    store: {
      bytes: store.length,
      sha256: createHash('sha256').update(store).digest('hex'),
      epoch: copy.epoch,
      revision: copy.revision,
    },
    entries: found.map(({ entry }) => entry),
  };
  return { manifest, skipped, archive: () => archiveStream({ manifest, store, found }) };
}

/** The id of this host0 in its probes, if it has one. */
async function installationIn(state: string): Promise<string | undefined> {
  const text = (await ifThere(readFile(join(state, 'boot/installation'), 'utf8')))?.trim() ?? '';
  return /^[0-9a-f]{8}$/.test(text) ? text : undefined;
}

async function leftOutNow(paths: Paths, extras: Extras): Promise<BackupManifest['leftOut']> {
  const all = await Promise.all(
    leftOutOf(paths, extras).map(async ({ what, path }) => ({ what, bytes: await bytesBelow(path) })),
  );
  return all.filter(({ bytes }) => bytes > 0);
}

function noHost0(directory: string): MeshError {
  return new MeshError('MESH_OBJECT_UNKNOWN', `there is no host0 here: ${directory} is empty, or not there`, {
    operation: 'write backup',
    object: directory,
    remedy: 'Run the command on host0, or name its directory with --host0-dir.',
  });
}
