/** The date of the newest index that host0 has seen of each repository: who gives an older one may hide a repair from it. */
import { join } from 'node:path';
import { StateFile, type StateForm } from '../../disk/state-file.ts';
import { MeshError } from '../../model/error.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';

/** Dates in seconds since 1970, by repository and architecture. */
interface Seen {
  readonly repositories: readonly { readonly path: string; readonly madeSec: number }[];
}

const SEEN_FILE: StateForm<Seen> = {
  version: 1,
  shape: form.object({
    repositories: form.listOf(form.object({ path: form.string({ max: 200 }), madeSec: form.int(0) }), 10_000),
  }),
  holds: 'the dates of indexes',
  remedy: 'Run `mesh system download`, which notes them anew.',
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
   * @throws MESH_MIRROR_REPLAYED; then nothing is noted. MESH_DISK_REFUSED
   */
  async note(indexes: readonly { readonly path: string; readonly madeSec: number }[], older: boolean): Promise<void> {
    const seen = new Map(await this.dates());
    for (const { path, madeSec } of indexes) {
      const before = seen.get(path) ?? 0;
      if (madeSec < before && !older) throw replayed(path, madeSec, before);
    }
    for (const { path, madeSec } of indexes) seen.set(path, madeSec);
    await this.#file.write({ repositories: [...seen].sort().map(([path, madeSec]) => ({ path, madeSec })) });
  }
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
