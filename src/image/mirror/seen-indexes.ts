/** The date of the newest index that host0 has seen of each repository: who gives an older one may hide a repair from it. */
import { join } from 'node:path';
import { StateFile, type StateForm } from '../../disk/state-file.ts';
import { MeshError } from '../../model/error.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';

/** An index whose signature was checked. */
export interface DatedIndex {
  /** Its repository and architecture. */
  readonly path: string;
  /** In seconds since 1970. */
  readonly madeSec: number;
}

/** Dates in seconds since 1970, by repository and architecture. */
interface Seen {
  readonly repositories: readonly DatedIndex[];
}

const SEEN_FILE: StateForm<Seen> = {
  version: 1,
  shape: form.object({
    repositories: form.listOf(form.object({ path: form.string({ max: 200 }), madeSec: form.int(0) }), 10_000),
  }),
  holds: 'the dates of indexes',
  remedy: 'Run `mesh system download --older`, which notes them anew, if you trust the source not to hide newer ones.',
  comesBack: true,
};

/** The dates, on the disk. */
export class SeenIndexes implements HealthSource {
  readonly #file: StateFile<Seen>;

  constructor(stateDirectory: string) {
    this.#file = new StateFile(join(stateDirectory, 'mirror/seen.json'), SEEN_FILE);
  }

  /** The dates, by repository and architecture. */
  async dates(): Promise<ReadonlyMap<string, number>> {
    return new Map((await this.#file.read())?.repositories.map(({ path, madeSec }) => [path, madeSec]));
  }

  /** A finding while the file cannot be used. */
  health(): readonly Finding[] {
    return this.#file.health();
  }

  /**
   * Notes indexes whose signatures were checked; durable when it resolves.
   * @param older take older ones, too, and forget the newer dates
   * @param published those of generations; they count for repositories that no date is noted of
   * @throws MESH_MIRROR_REPLAYED; then nothing is noted. MESH_STATE_DAMAGED where the dates are lost, MESH_DISK_REFUSED
   */
  async note(indexes: readonly DatedIndex[], older: boolean, published: readonly DatedIndex[] = []): Promise<void> {
    const seen = new Map(await this.dates());
    // Lost dates would let every old index in.
    if (!older) this.#requireSound();
    const newest = new Map<string, number>();
    for (const { path, madeSec } of published) newest.set(path, Math.max(madeSec, newest.get(path) ?? 0));
    for (const { path, madeSec } of indexes) {
      const before = seen.get(path) ?? newest.get(path) ?? 0;
      if (madeSec < before && !older) throw replayed(path, madeSec, before);
    }
    for (const { path, madeSec } of indexes) seen.set(path, madeSec);
    await this.#file.write({ repositories: [...seen].sort().map(([path, madeSec]) => ({ path, madeSec })) });
  }

  #requireSound(): void {
    if (this.#file.trouble !== undefined) throw this.#file.trouble;
    const [finding] = this.#file.health();
    if (finding === undefined) return;
    const { message, remedy } = finding;
    throw new MeshError('MESH_STATE_DAMAGED', message, { operation: 'check index', object: this.#file.path, remedy });
  }
}

/**
 * Holds an index to the release that it is asked for as: one of another release is signed as well. A description that does not begin
 * with a release says nothing.
 * @throws MESH_MIRROR_REPLAYED
 */
export function requireRelease(path: string, description: string): void {
  const [release = ''] = path.split('/');
  const [, numbers, day] = /^v(?:(\d{1,2}\.\d{1,3})[._-]|(20\d{6})(?:-|$))/.exec(description) ?? [];
  const said = day === undefined ? numbers && `v${numbers}` : 'edge';
  if (said === undefined || said === release) return;
  throw new MeshError('MESH_MIRROR_REPLAYED', `the index of ${path} is one of ${said}: ${description.slice(0, 80)}`, {
    operation: 'check index',
    object: path,
    rule: 'An index of another release is signed as well: with it, somebody could keep repairs of faults from host0.',
    remedy: 'Use another source. If the source is right, run `mesh system download --older`.',
  });
}

function replayed(path: string, madeSec: number, beforeSec: number): MeshError {
  const day = (sec: number) => new Date(sec * 1000).toISOString().slice(0, 16).replace('T', ' ');
  return new MeshError(
    'MESH_MIRROR_REPLAYED',
    `the index of ${path} is of ${day(madeSec)} UTC, and host0 has seen one of ${day(beforeSec)} UTC`,
    {
      operation: 'check index',
      object: path,
      rule: 'An older index is signed as well as a newer one: with it, somebody could keep repairs of faults from host0.',
      remedy: 'Use another source. If the source was set back on purpose, run `mesh system download --older`.',
    },
  );
}
