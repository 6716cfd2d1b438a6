/** `mesh system restore` and `mesh system diff`: a backup becomes this host0, or is compared with it. */
import { stdin } from 'node:process';
import { createInterface } from 'node:readline/promises';
import { isArchive } from '../../backup/archive/archive-reader.ts';
import { foreignBackup } from '../../backup/archive/backup-error.ts';
import { type BackupSource, openBackup, PIPE } from '../../backup/archive/backup-file.ts';
import { contentsOf } from '../../backup/archive/contents.ts';
import type { BackupManifest } from '../../backup/archive/manifest.ts';
import { type Difference, fileDifferences, storeDifferences } from '../../backup/difference.ts';
import { finishRestore } from '../../backup/finish-restore.ts';
import type { NicChoice, OwnNic } from '../../backup/nic-map.ts';
import { ownNics } from '../../backup/own-nics.ts';
import { type ReadBackup, readWhole } from '../../backup/read-backup.ts';
import { planOf, restoredAreas, restoreHost0 } from '../../backup/restore.ts';
import { settingsOf, storeNow } from '../../backup/store-access.ts';
import { requireRoot } from '../../kernel/root.ts';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import { visible } from '../../protocol/documents/terminal-text.ts';
import { readBackup } from '../../store/store-backup.ts';
import type { Context } from '../context.ts';
import { withProgress } from '../print/progress.ts';
import { type Column, table } from '../print/table.ts';
import { megabytes } from './backup.ts';
import { restoreStore } from './store-backup.ts';
import { storeNamed } from './store-choice.ts';

/** How a backup is restored. */
export interface RestoreOptions {
  readonly filter?: string;
  readonly nic: ReadonlyMap<string, string>;
  readonly store?: string;
  readonly force?: boolean;
  readonly plan?: boolean;
  readonly finish?: boolean;
}

/** `mesh system restore`. */
export async function restore(context: Context, file: string | undefined, options: RestoreOptions): Promise<void> {
  const { force = false, store: word, nic } = options;
  requireRoot('restore host0', 'A restore replaces the files and keys of host0.');
  if (options.finish === true || file === undefined) return await finish(context, file, options);
  if (options.plan !== true) await mustBeStopped(context);
  await finishRestore(context.paths);
  const source = await opened(file, options.filter);
  if (!isArchive(source.beginning)) return await restoreDocument(context, source, options);
  const own = await ownNics();
  if (options.plan === true) return await showPlan(context, source, own, options);
  const members = word === undefined ? undefined : storeNamed(word, 'restore host0');
  const restored = await withProgress(
    context.stderr,
    'Restoring',
    restoreHost0({
      ...{ paths: context.paths, source, own, named: nic, force },
      ...(members !== undefined && { members }),
      ...(isAttended(context, file) && { ask: (choices, cards) => askForNics(context, choices, cards) }),
    }),
  );
  const { manifest, nics, store, entries, epoch, confFault } = restored;
  const files = manifest.entries.filter(({ type }) => type === 'file').length;
  context.answer({ takenAt: manifest.takenAt, host: manifest.host, files, store, entries, epoch, nics }, () =>
    [
      `This machine is the host0 of ${manifest.takenAt}, of ${visible(manifest.host)}: ${files} files, and ${entries} entries in ${store}.\n`,
      ...nics.filter(({ from, to }) => from !== to).map(nicText),
      ...(confFault === undefined ? [] : [`Its settings cannot be read: ${visible(confFault.message)}.\n`]),
      ...missingText(manifest),
      'Next: mesh system start\n',
    ].join(''),
  );
}

/** `mesh system restore --finish`. */
async function finish(context: Context, file: string | undefined, options: RestoreOptions): Promise<void> {
  if (options.finish !== true || file !== undefined) {
    throw new MeshError('MESH_USAGE', file === undefined ? 'no file is named' : '--finish reads no file', {
      operation: 'restore host0',
      remedy: 'Name the file of a backup, or write --finish alone.',
    });
  }
  const isFinished = await finishRestore(context.paths);
  context.answer({ isFinished }, () =>
    isFinished ? 'The restore is finished.\n' : 'There is no restore to finish.\n',
  );
}

/** `mesh system diff`. */
export async function diff(context: Context, file: string, options: { readonly filter?: string }): Promise<void> {
  requireRoot('compare with a backup', 'A backup has all that host0 knows, and its keys.');
  const source = await opened(file, options.filter);
  if (!isArchive(source.beginning)) {
    const document = await documentIn(source);
    const differences = storeDifferences(document, await storeNow(context.paths));
    return showDifferences(context, document.takenAt, differences);
  }
  const read = await readWhole(source, context.paths).finally(source.close);
  showDifferences(context, read.manifest.takenAt, await differencesOf(context, read));
}

async function differencesOf({ paths }: Context, { manifest, store }: ReadBackup): Promise<readonly Difference[]> {
  const areas = restoredAreas(paths, manifest);
  const { entries: found } = await contentsOf(areas);
  // The directory of an area is not replaced, only what is in it.
  const owned = manifest.entries.filter(({ path }) => {
    const [name, first] = path.split('/');
    return first !== undefined && areas.some((area) => area.name === name && area.owns(first));
  });
  const own = found.filter(({ entry }) => entry.path.includes('/'));
  return [...fileDifferences(owned, own), ...storeDifferences(store, await storeNow(paths))];
}

const COLUMNS: readonly Column<Difference>[] = [
  { title: 'KIND', text: ({ kind }) => kind },
  { title: 'NAME', text: ({ name }) => visible(name) },
  { title: 'IS', text: ({ side }) => side },
  {
    title: 'FINGERPRINTS',
    text: ({ fingerprints: { backup = '-', now = '-' } = {} }) =>
      backup === '-' && now === '-' ? '' : `${backup} → ${now}`,
  },
];

function showDifferences(context: Context, takenAt: string, differences: readonly Difference[]): void {
  if (differences.length > 0) context.exitCode = 1;
  context.answer({ takenAt, differences }, () =>
    differences.length === 0
      ? `All is as in the backup of ${takenAt}.\n`
      : `${table(differences, COLUMNS, context.page)}\nThe backup is of ${takenAt}.\n`,
  );
}

async function showPlan(
  context: Context,
  source: BackupSource,
  own: readonly OwnNic[],
  options: RestoreOptions,
): Promise<void> {
  const read = await readWhole(source, context.paths).finally(source.close);
  const { manifest } = read;
  const { nics, settings, confFault } = planOf(read, own, options.nic);
  const differences = await differencesOf(context, read);
  const bytes = manifest.entries.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.bytes : 0), 0);
  const document = { takenAt: manifest.takenAt, host: manifest.host, bytes, nics, differences };
  context.answer(document, () =>
    [
      `A backup of ${visible(manifest.host)}, of ${manifest.takenAt}, by Meshwork ${visible(manifest.meshwork)}: ${megabytes(bytes)}, and ${read.store.entries.length} entries of the store.\n`,
      ...nics.map(nicText),
      ...(confFault === undefined ? [] : [`Its settings cannot be read: ${visible(confFault.message)}.\n`]),
      ...(settings.store.length > 0 ? ['Its store is an etcd, which is filled before the files are replaced.\n'] : []),
      ...missingText(manifest),
      differences.length === 0 ? 'Nothing would change.\n' : table(differences, COLUMNS, context.page),
    ].join(''),
  );
}

function nicText({ from, mac, to, reason }: NicChoice): string {
  const old = mac === undefined ? from : `${from} (${mac})`;
  if (to === undefined) return `Network card ${old}: not known here. Name it: --nic ${from}=NEW\n`;
  return `Network card ${old}: ${to}, ${reason ?? ''}\n`;
}

function missingText({ leftOut, generations }: BackupManifest): readonly string[] {
  const current = generations.find((generation) => generation.current);
  return [
    ...leftOut.map(({ what, bytes }) => `Not in the backup, ${megabytes(bytes)}: ${visible(what)}.\n`),
    ...(current === undefined || !leftOut.some(({ what }) => what.startsWith('packages'))
      ? []
      : [`Machines began with generation ${current.number} of the mirror: \`mesh system download\` makes one anew.\n`]),
  ];
}

async function opened(file: string, filter: string | undefined): Promise<BackupSource> {
  return await openBackup(file === PIPE ? stdin : file, filter);
}

async function documentIn(source: BackupSource) {
  if (!source.beginning.toString('latin1').trimStart().startsWith('{')) {
    source.close();
    throw foreignBackup(source.name, source.beginning.length === 0 ? 'it is empty' : 'it begins with other bytes');
  }
  const chunks: Buffer[] = [];
  for await (const chunk of source.bytes) chunks.push(chunk);
  await source.ended();
  return readBackup(source.name, Buffer.concat(chunks).toString('utf8'));
}

/** A copy of the store alone, also one that an earlier version has written. */
async function restoreDocument(
  context: Context,
  source: BackupSource,
  { plan, store, force = false }: RestoreOptions,
): Promise<void> {
  const document = await documentIn(source);
  if (plan === true) {
    return showDifferences(context, document.takenAt, storeDifferences(document, await storeNow(context.paths)));
  }
  await settingsOf(context.paths);
  await restoreStore(context, document, { force, ...(store !== undefined && { store }) });
}

async function mustBeStopped({ paths }: Context): Promise<void> {
  if (!(await host0Client(paths).answers())) return;
  throw new MeshError('MESH_ALREADY_RUNNING', "host0's daemon runs, and a restore replaces what it works with", {
    operation: 'restore host0',
    remedy: 'Stop it first: `mesh system stop`. Networks keep carrying traffic.',
  });
}

/** Whether somebody can be asked: the terminal is not the backup. */
function isAttended({ json }: Context, file: string): boolean {
  return !json && file !== PIPE && stdin.isTTY === true;
}

async function askForNics(
  { stderr }: Context,
  choices: readonly NicChoice[],
  own: readonly OwnNic[],
): Promise<readonly NicChoice[]> {
  const answered: NicChoice[] = [];
  const lines = createInterface({ input: stdin });
  try {
    for (const choice of choices) {
      if (choice.to !== undefined) {
        answered.push(choice);
        continue;
      }
      const taken = [...choices, ...answered].map(({ to }) => to);
      const free = own.filter(({ name }) => !taken.includes(name)).map(({ name, mac }) => `${name} (${mac})`);
      const question = `Which network card stands for ${choice.from} (${choice.mac ?? 'unknown'})? ${free.join(', ')}: `;
      stderr.write(visible(question));
      const name = (await lines.question('')).trim();
      const isFree = own.some((nic) => nic.name === name) && !taken.includes(name);
      answered.push(isFree ? { ...choice, to: name, reason: 'named' } : choice);
    }
  } finally {
    lines.close();
  }
  return answered;
}
