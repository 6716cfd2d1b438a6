/**
 * Makes a generation of the mirror: fetches the indexes of the source, works out what each machine installs, fetches that, and
 * publishes it with indexes of our own. Whatever is wrong anywhere, the generation before stays.
 */
import { createHash } from 'node:crypto';
import { type Dependency, dependencyText, parseDependency } from '../../formats/apk/dependency.ts';
import {
  INDEX_BYTES_MAX,
  indexArchive,
  readIndexArchive,
  type VerifiedIndex,
} from '../../formats/apk/index-archive.ts';
import type { WrittenPackage } from '../../formats/apk/package-archive.ts';
import { type PackageRecord, packageFileName, withArchitecture } from '../../formats/apk/package-index.ts';
import type { SigningKey, TrustedKeys } from '../../formats/apk/signature.ts';
import type { MirroredRepository, MirrorSettings } from '../../formats/host0/mirror-conf.ts';
import { MeshError } from '../../model/error.ts';
import { trusting } from '../mirror-key.ts';
import { OWN_REPOSITORY } from './agent-package.ts';
import { type Package, PackageCatalogue, type Repository } from './catalogue.ts';
import { Fetcher, sourceError } from './fetcher.ts';
import { GENERATION_FORMAT, type Generation, type GenerationPackage, type GenerationWorld } from './generation.ts';
import { INDEX_FILE, type ListedGeneration, type MirrorStore, packageTreePath } from './mirror-store.ts';
import { fetchNetboot } from './netboot.ts';
import { unsolvedRefusal } from './refusal.ts';
import { type DatedIndex, requireRelease, type SeenIndexes } from './seen-indexes.ts';
import type { Reason } from './selection.ts';
import { Solver } from './solver.ts';
import { superset } from './superset.ts';
import type { Upstream } from './upstream.ts';

/** Machines with the same words. */
export interface World {
  /** Names of machines, or what else the words are of. */
  readonly machines: readonly string[];
  /** Words of `/etc/apk/world`, and what every machine has. */
  readonly words: readonly string[];
}

/** How far the fetching is. */
export interface DownloadProgress {
  readonly files: number;
  readonly filesOf: number;
  readonly bytes: number;
  /** As the index says. */
  readonly bytesOf: number;
}

/** What a download needs. */
export interface DownloadInput {
  readonly settings: MirrorSettings;
  readonly keys: TrustedKeys;
  readonly worlds: readonly World[];
  readonly store: MirrorStore;
  readonly seen: SeenIndexes;
  readonly upstream: Upstream;
  readonly signer: SigningKey;
  /** Packages of host0's own, for the repository `meshwork/agent`; empty or absent: there is no such repository. */
  readonly own?: readonly WrittenPackage[];
  readonly now: Date;
  /** Take indexes that are older than what was seen. */
  readonly older?: boolean;
  /** Check every package of the pool again, and publish anew. */
  readonly verify?: boolean;
  /** Called with what is being done, as a verb phrase in -ing. */
  readonly onStage?: (stage: string) => void;
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** What came of it. */
export type DownloadResult =
  | { readonly outcome: 'unchanged'; readonly generation: ListedGeneration }
  | {
      readonly outcome: 'published';
      readonly generation: Generation;
      readonly fetched: number;
      readonly fetchedBytes: number;
      readonly freedBytes: number;
      readonly warnings: readonly MeshError[];
    }
  /** Nothing was published. */
  | { readonly outcome: 'refused'; readonly errors: readonly MeshError[] };

interface SourceIndex extends VerifiedIndex {
  readonly repository: MirroredRepository;
  readonly sha256: string;
}

/** The version of what is made of the same input; it changes when a generation would be made differently. */
const MAKER = 3;
/** Fetched at the same time. */
const LANES = 4;

/**
 * Makes a generation, or finds that the current one is what would be made.
 * @throws MESH_MIRROR_*, MESH_DISK_REFUSED
 */
export async function download(input: DownloadInput): Promise<DownloadResult> {
  const { settings, store, upstream, keys, onStage = () => {} } = input;
  await store.prepare();
  onStage(`asking ${upstream.name}`);
  const fetcher = new Fetcher(upstream, store, keys);
  const archives = await Promise.all(
    settings.repositories.map(async (repository) => {
      const path = `${repository.path}/${settings.architecture}/${INDEX_FILE}`;
      const bytes = await fetcher.small(path, INDEX_BYTES_MAX);
      return { repository, path, bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
    }),
  );
  const fingerprint = fingerprintOf(
    input,
    archives.map(({ sha256 }) => sha256),
  );
  const current = await store.current();
  if (input.verify !== true && current?.fingerprint === fingerprint && (await store.isWhole(current))) {
    return { outcome: 'unchanged', generation: current };
  }
  onStage('reading indexes');
  const indexes: SourceIndex[] = archives.map(({ repository, path, bytes, sha256 }) => {
    try {
      return { ...readIndexArchive(bytes, keys), repository, sha256 };
    } catch (error) {
      throw sourceError(error, `${upstream.name}/${path}`);
    }
  });
  if (input.older !== true)
    for (const { repository, description } of indexes) requireRelease(repository.path, description);
  await input.seen.note(
    indexes.map(({ repository, madeSec }) => ({ path: `${repository.path}/${settings.architecture}`, madeSec })),
    input.older === true,
    datesOf(await store.list()),
  );
  onStage('working out what machines install');
  indexes.push(...ownIndexes(input));
  const catalogue = new PackageCatalogue(indexes.map((index) => repositoryOf(index, settings.architecture)));
  const solved = solveAll(catalogue, input.worlds);
  if (solved.errors.length > 0) return { outcome: 'refused', errors: solved.errors };
  const chosen = new Map(solved.reasons);
  if (settings.mode === 'superset') {
    for (const [one, reason] of superset(catalogue, allWords(input.worlds))) {
      if (!chosen.has(one)) chosen.set(one, reason);
    }
  }
  const fetched = await fetchAll(input, [...chosen.keys()]);
  const boot =
    settings.netboot &&
    (await fetchNetboot(new Fetcher(upstream, store, keys), settings, {
      before: current?.boot,
      verify: input.verify === true,
      onStage,
    }));
  onStage('checking what is published');
  const made = indexesOf(input, indexes, [...chosen.keys()]);
  const proof = proofOf(input, made);
  if (proof.errors.length > 0) return { outcome: 'refused', errors: proof.errors };
  const generation: Generation = {
    format: GENERATION_FORMAT,
    number: await store.nextNumber(),
    builtAt: input.now.toISOString(),
    mode: settings.mode,
    architecture: settings.architecture,
    fingerprint,
    signedBy: input.signer.name,
    repositories: indexes.map(({ repository, sha256, signedBy, madeSec, records }) => ({
      ...repository,
      upstreamSha256: sha256,
      signedBy,
      madeAt: new Date(madeSec * 1000).toISOString(),
      offered: records.length,
    })),
    worlds: proof.worlds,
    packages: [...chosen].map(([one, reason]) => packageOf(one, reason)).sort(byName),
    ...(boot !== undefined && { boot }),
  };
  onStage('publishing');
  await store.publish(generation, made);
  const freedBytes = await store.collectGarbage(input.now);
  return { outcome: 'published', generation, ...fetched, freedBytes, warnings: proof.warnings };
}

function datesOf(generations: readonly Generation[]): DatedIndex[] {
  return generations.flatMap(({ architecture, repositories }) =>
    repositories.map(({ path, madeAt }) => ({
      path: `${path}/${architecture}`,
      madeSec: Math.floor(Date.parse(madeAt) / 1000),
    })),
  );
}

/** The same input gives the same fingerprint. */
function fingerprintOf(
  { settings, keys, worlds, signer, own = [] }: DownloadInput,
  indexes: readonly string[],
): string {
  const trusted = [...keys].map(([name, key]) => [name, key.export({ type: 'spki', format: 'pem' }).toString()]);
  const { source: _, ...rest } = settings;
  const made = own.map(({ record }) => record.checksum);
  const text = JSON.stringify([MAKER, rest, trusted, signer.name, worlds, indexes, made]);
  return createHash('sha256').update(text).digest('hex');
}

/** host0's own repository, as an index that nobody has to fetch. */
function ownIndexes({ own = [], signer }: DownloadInput): readonly SourceIndex[] {
  if (own.length === 0) return [];
  const records = own.map(({ record }) => record);
  const madeSec = Math.max(...records.map(({ builtSec }) => builtSec));
  const sha256 = createHash('sha256')
    .update(records.map(({ text }) => text).join('\n\n'))
    .digest('hex');
  const repository = { path: OWN_REPOSITORY };
  return [{ repository, records, faults: [], description: 'Meshwork', madeSec, signedBy: signer.name, sha256 }];
}

/** A repository without packages for other machines. Of two records for the same file, the one that was built last counts. */
function repositoryOf({ repository, records }: SourceIndex, architecture: string): Repository {
  const fitting = records.filter((record) => record.architecture === architecture || record.architecture === 'noarch');
  const byFile = new Map<string, PackageRecord>();
  for (const record of fitting) {
    const other = byFile.get(packageFileName(record));
    if (other === undefined || other.builtSec <= record.builtSec) byFile.set(packageFileName(record), record);
  }
  const tag = repository.tag !== undefined && { tag: repository.tag };
  return { name: repository.path, ...tag, records: [...byFile.values()] };
}

interface Solved {
  readonly worlds: readonly GenerationWorld[];
  readonly reasons: ReadonlyMap<Package, Reason>;
  readonly errors: readonly MeshError[];
  readonly warnings: readonly MeshError[];
}

/** What each world installs. */
export function solveAll(catalogue: PackageCatalogue, worlds: readonly World[]): Solved {
  const reasons = new Map<Package, Reason>();
  const solved: GenerationWorld[] = [];
  const errors: MeshError[] = [];
  const warnings: MeshError[] = [];
  for (const { machines, words } of worlds) {
    const [machine = 'a machine'] = machines;
    const solution = Solver.solve(catalogue, dependenciesOf(words));
    if (!('choices' in solution)) {
      errors.push(...machines.slice(0, 20).map((each) => unsolvedRefusal(catalogue, solution, each)));
      continue;
    }
    if (solution.tookBack) warnings.push(greedy(machine));
    for (const choice of solution.choices) if (!reasons.has(choice.package)) reasons.set(choice.package, choice.reason);
    solved.push({ machines, words, packages: solution.choices.map((choice) => choice.package.title) });
  }
  return { worlds: solved, reasons, errors, warnings };
}

function greedy(machine: string): MeshError {
  return new MeshError(
    'MESH_MIRROR_GREEDY',
    `${machine}: the packages fit, but only where some first choices are given up`,
    {
      object: machine,
      rule: 'apk looks less far ahead than host0 does, and may leave out what does not fit its first choices.',
      remedy:
        'See with `mesh node preview` which packages are chosen, and add those that are alternatives to the list.',
    },
  );
}

function dependenciesOf(words: readonly string[]): Dependency[] {
  return words.flatMap((word) => parseDependency(word) ?? []);
}

function allWords(worlds: readonly World[]): Dependency[] {
  return dependenciesOf([...new Set(worlds.flatMap(({ words }) => words))]);
}

/** Fetches what the pool lacks. */
async function fetchAll(
  { store, upstream, keys, settings, verify, own = [], onStage = () => {}, onProgress = () => {} }: DownloadInput,
  packages: readonly Package[],
): Promise<{ readonly fetched: number; readonly fetchedBytes: number }> {
  const missing: Package[] = [];
  for (const { bytes, record } of own) await store.put(bytes, store.packagePath(record.checksum));
  for (const one of packages) {
    if (one.repository.name === OWN_REPOSITORY) continue;
    if (!(await store.has(store.packagePath(one.record.checksum)))) missing.push(one);
    else if (verify === true && !(await isSound(new Fetcher(upstream, store, keys), one.record))) missing.push(one);
  }
  const bytesOf = missing.reduce((sum, { record }) => sum + record.bytes, 0);
  let [files, bytes] = [0, 0];
  const show = () => onProgress({ files, filesOf: missing.length, bytes, bytesOf });
  if (missing.length > 0) onStage('fetching packages');
  const fetcher = new Fetcher(upstream, store, keys, (further) => {
    bytes += further;
    show();
  });
  const queue = missing.values();
  let failed = false;
  const lane = async () => {
    for (const { record, repository } of queue) {
      // After a failure the other lanes end what they are at, so that no other run meets their unfinished files.
      if (failed) return;
      const place = record.architecture === 'noarch' ? 'noarch' : settings.architecture;
      try {
        await fetcher.package(record, packageTreePath(repository.name, place, packageFileName(record)));
      } catch (error) {
        failed = true;
        throw error;
      }
      files++;
      show();
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane));
  for (const each of lanes) if (each.status === 'rejected') throw each.reason;
  return { fetched: files, fetchedBytes: bytes };
}

async function isSound(fetcher: Fetcher, record: PackageRecord): Promise<boolean> {
  try {
    await fetcher.checkAgain(record);
    return true;
  } catch {
    return false;
  }
}

interface MadeIndex {
  readonly repository: MirroredRepository;
  readonly path: string;
  readonly content: Uint8Array;
}

/** Our indexes, each with those packages of its repository that are in the mirror. */
function indexesOf(
  { settings: { architecture }, signer }: DownloadInput,
  indexes: readonly SourceIndex[],
  packages: readonly Package[],
): MadeIndex[] {
  return indexes.map(({ repository, description, madeSec }) => {
    const records = packages
      .filter((one) => one.repository.name === repository.path)
      .map(({ record }) => withArchitecture(record, architecture))
      .sort((a, b) => (packageFileName(a) < packageFileName(b) ? -1 : 1));
    const content = indexArchive(records, { description, madeSec, key: signer });
    return { repository, path: packageTreePath(repository.path, architecture, INDEX_FILE), content };
  });
}

/** Reads our indexes as a machine does, and works out once more what each machine installs from them. */
function proofOf({ signer, worlds }: DownloadInput, made: readonly MadeIndex[]): Solved {
  const keys = trusting(signer);
  const repositories = made.map(({ repository, content }) => ({
    name: repository.path,
    ...(repository.tag !== undefined && { tag: repository.tag }),
    records: readIndexArchive(content, keys).records,
  }));
  return solveAll(new PackageCatalogue(repositories), worlds);
}

function packageOf({ record, repository }: Package, reason: Reason): GenerationPackage {
  const { name, version, bytes, checksum } = record;
  const word = reason.type === 'install_if' ? reason.words.map(dependencyText).join(' ') : dependencyText(reason.word);
  const why = { type: reason.type, word, ...(reason.type === 'dependency' && { of: reason.of.title }) };
  return { name, version, repository: repository.name, bytes, checksum, why };
}

function byName(a: GenerationPackage, b: GenerationPackage): number {
  return packageFileName(a) < packageFileName(b) ? -1 : 1;
}
