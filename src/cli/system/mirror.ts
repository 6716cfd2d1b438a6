/** `mesh system download`, `generations` and `rollback`: the packages that machines install when they boot, without internet. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { errnoOf, readConfBytes } from '../../formats/conf/conf-reader.ts';
import { errorText } from '../../formats/error-text.ts';
import { readHost0Tree } from '../../formats/host0/host0-tree.ts';
import { type MirrorSettings, parseMirrorConf } from '../../formats/host0/mirror-conf.ts';
import { authorizedKeysIn } from '../../image/command-key.ts';
import { agentPackage } from '../../image/mirror/agent-package.ts';
import { type DownloadProgress, type DownloadResult, download } from '../../image/mirror/download.ts';
import { type Generation, titleOf } from '../../image/mirror/generation.ts';
import { machineWorlds } from '../../image/mirror/machine-worlds.ts';
import { withMirrorLock } from '../../image/mirror/mirror-lock.ts';
import { type ListedGeneration, MirrorStore } from '../../image/mirror/mirror-store.ts';
import { SeenIndexes } from '../../image/mirror/seen-indexes.ts';
import { upstreamOf } from '../../image/mirror/upstream.ts';
import { mirrorKey, trustedKeysIn } from '../../image/mirror-key.ts';
import { compile } from '../../image/overlay/compilation.ts';
import { requireRoot } from '../../kernel/root.ts';
import { MeshError } from '../../model/error.ts';
import type { Context } from '../context.ts';
import { plain } from '../print/color.ts';
import { durationText } from '../print/duration.ts';
import { wholeNumber } from '../print/number-option.ts';
import { Stages } from '../print/stages.ts';
import { type Column, table } from '../print/table.ts';

const ROOT_RULE = 'The mirror decides what runs on every machine.';

interface DownloadOptions {
  readonly from?: string;
  readonly older?: boolean;
  readonly verify?: boolean;
}

/** Adds the three commands. */
export function addMirror(system: Command, context: Context): void {
  system.addCommand(
    new Command('download')
      .description("Mirror the Alpine packages of all machines, and publish them as the mirror's next generation")
      .option('--from <source>', 'fetch from this URL or directory, in place of the source in mirror.conf')
      .option('--older', 'also take an index that is older than one that host0 has seen')
      .option('--verify', 'check every package on the disk again, and publish anew')
      .addHelpText(
        'after',
        '\nThe source is in mirror.conf, and the keys that packages are signed with are in mirror-keys, both in /host0.\n' +
          'What was cut off goes on where it stopped. If any machine could not install all of its packages, nothing is published.\n' +
          '\nExamples:\n  $ mesh system download\n  $ mesh system download --from /media/disk/alpine\n  $ mesh system download --verify',
      )
      .action((options: DownloadOptions) => runDownload(context, options)),
  );
  system.addCommand(
    new Command('generations')
      .description('List the generations of the mirror; machines begin with the current one')
      .option('--why <package>', 'say why this package is in the current generation')
      .addHelpText('after', '\nExamples:\n  $ mesh system generations\n  $ mesh system generations --why chrony')
      .action(({ why }: { why?: string }) => listGenerations(context, why)),
  );
  system.addCommand(
    new Command('rollback')
      .description('Let machines begin with an earlier generation of the mirror')
      .addOption(
        new Option('--to <number>', 'this generation; by default, the one before the current one').argParser(
          wholeNumber(1),
        ),
      )
      .addHelpText(
        'after',
        '\nMachines that boot now keep the generation that they began with.\n' +
          '\nExamples:\n  $ mesh system rollback\n  $ mesh system rollback --to 3',
      )
      .action(({ to }: { to?: number }) => rollback(context, to)),
  );
}

/** The settings of the mirror. @throws MESH_MIRROR_CONF, and the first error of the file */
export async function mirrorSettings({ paths }: Context): Promise<MirrorSettings> {
  const file = join(paths.host0, 'mirror.conf');
  try {
    const settings = parseMirrorConf(file, await readConfBytes(file));
    if ('source' in settings) return settings;
    throw settings[0];
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new MeshError('MESH_MIRROR_CONF', `there is no ${file}`, {
      operation: 'read settings',
      object: file,
      rule: 'The file says from where Alpine packages are mirrored, and which release.',
      remedy: `Make it, with lines such as source="https://mirror.example.org/alpine" and release="v3.19".`,
    });
  }
}

async function runDownload(context: Context, { from, older, verify }: DownloadOptions): Promise<void> {
  requireRoot('write the mirror', ROOT_RULE);
  using stages = new Stages(context.stderr);
  const { paths } = context;
  const written = await mirrorSettings(context);
  const settings = from === undefined ? written : sourceFrom(written, from);
  const { machines, errors } = await compile({ paths, authorizedKeys: await authorizedKeysIn(paths.state) });
  if (errors.length > 0) {
    stages.end();
    return refuse(context, errors, '`mesh system configure --check` shows all faults of /host0.');
  }
  const estimate = new Estimate();
  const signer = await mirrorKey(paths.state);
  const hasAlpine = machines.some(({ flavor, overlay }) => flavor === 'alpine' && overlay !== undefined);
  if (hasAlpine) stages.show('Packing the agent');
  const input = {
    settings,
    keys: await trustedKeysIn(join(paths.host0, 'mirror-keys')),
    worlds: machineWorlds(machines, readHost0Tree(paths.host0).packages, settings.netboot !== undefined),
    store: new MirrorStore(paths.state),
    seen: new SeenIndexes(paths.state),
    upstream: upstreamOf(settings.source),
    signer,
    ...(hasAlpine && { own: [await agentPackage(signer)] }),
    now: new Date(),
    ...(older === true && { older }),
    ...(verify === true && { verify }),
    onStage: (stage: string) => stages.show(stage.charAt(0).toUpperCase() + stage.slice(1)),
    onProgress: (progress: DownloadProgress) => stages.detail(estimate.words(progress)),
  };
  const result = await withMirrorLock(paths.state, () => download(input));
  stages.end();
  if (result.outcome === 'refused') {
    return refuse(context, result.errors, 'Machines boot with the generation that they had.');
  }
  context.answer(documentOf(result), () => resultText(result, context));
}

/** The settings with another source, which is judged as the one in the file is. @throws MESH_MIRROR_CONF */
function sourceFrom(settings: MirrorSettings, source: string): MirrorSettings {
  const judged = parseMirrorConf('--from', Buffer.from(`source="${source.replace(/["\n]/g, '?')}"\nrelease="edge"\n`));
  if ('source' in judged) return { ...settings, source: judged.source };
  const { message = '', rule = '' } = judged[0] ?? {};
  throw new MeshError('MESH_MIRROR_CONF', message, {
    operation: 'read --from',
    rule,
    remedy: 'Give a URL or an absolute path.',
  });
}

/** Says how long the rest will take, from what came since the begin. */
class Estimate {
  #startedMs: number | undefined;

  words({ files, filesOf, bytes, bytesOf }: DownloadProgress): string {
    this.#startedMs ??= performance.now();
    const tookSec = (performance.now() - this.#startedMs) / 1000;
    const rest = bytes > 0 && tookSec > 1 ? ((bytesOf - bytes) / bytes) * tookSec : undefined;
    const left = rest === undefined || rest < 0 ? '' : `, about ${durationText(Math.ceil(rest))} left`;
    return `${files} of ${filesOf} packages, ${megabytes(bytes)} of ${megabytes(bytesOf)}${left}`;
  }
}

function refuse(context: Context, errors: readonly MeshError[], end: string): void {
  context.exitCode = errors[0]?.exitCode ?? 1;
  const color = context.paint !== plain;
  context.answer({ ok: false, errors }, () => {
    const count = errors.length === 1 ? 'One fault' : `${errors.length} faults`;
    return `${errors.map((error) => `${errorText(error, { color })}\n\n`).join('')}${count}: nothing was published. ${end}\n`;
  });
}

function documentOf(result: Exclude<DownloadResult, { readonly outcome: 'refused' }>): object {
  const { outcome, generation } = result;
  const { number, packages } = generation;
  const about = { ok: true, outcome, generation: number, packages: packages.length, bytes: bytesOf(generation) };
  if (outcome === 'unchanged') return about;
  const { fetched, fetchedBytes, freedBytes, warnings } = result;
  return { ...about, fetched, fetchedBytes, freedBytes, warnings };
}

function resultText(result: Exclude<DownloadResult, { readonly outcome: 'refused' }>, { paint }: Context): string {
  const { number, packages, worlds } = result.generation;
  if (result.outcome === 'unchanged') {
    return `Nothing changes: generation ${number} has all of it, ${packages.length} packages.\n`;
  }
  const warnings = result.warnings.map(
    (error) => `${errorText(error, { color: paint !== plain, severity: 'warning' })}\n\n`,
  );
  const machines = new Set(worlds.flatMap((world) => world.machines)).size;
  return (
    `${warnings.join('')}Published generation ${number}: ${packages.length} packages, ${megabytes(bytesOf(result.generation))}, ` +
    `${result.fetched} of them fetched now (${megabytes(result.fetchedBytes)}).\n` +
    `All that ${machines === 1 ? '1 machine' : `${machines} machines`} and /host0/packages name can be installed from it. ` +
    'Machines install from it at their next boot.\n'
  );
}

function bytesOf({ packages, boot }: Generation): number {
  const files = [...packages, ...(boot?.files ?? [])];
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

const COLUMNS: readonly Column<ListedGeneration>[] = [
  { title: 'GENERATION', text: ({ number }) => String(number), align: 'right' },
  {
    title: 'STATE',
    text: ({ current }) => (current ? 'current' : 'kept'),
    tone: ({ current }) => (current ? 'good' : undefined),
  },
  { title: 'BUILT', text: ({ builtAt }) => `${builtAt.slice(0, 16).replace('T', ' ')} UTC` },
  { title: 'MODE', text: ({ mode }) => mode },
  { title: 'PACKAGES', text: ({ packages }) => String(packages.length), align: 'right' },
  { title: 'SIZE', text: (generation) => megabytes(bytesOf(generation)), align: 'right' },
  { title: 'KERNEL', text: ({ boot }) => boot?.kernelRelease ?? '-' },
  { title: 'FROM', text: ({ repositories }) => repositories.map(({ path }) => path).join(' '), flexible: true },
];

async function listGenerations(context: Context, why: string | undefined): Promise<void> {
  const store = new MirrorStore(context.paths.state);
  if (why !== undefined) return explain(context, await store.current(), why);
  const all = await store.list();
  const summaries = all.map(({ packages, worlds, ...about }) => ({
    ...about,
    packages: packages.length,
    worlds: worlds.length,
  }));
  context.answer(summaries, () =>
    all.length === 0
      ? 'There is no mirror yet: `mesh system download` makes one.\n'
      : table(all, COLUMNS, context.page),
  );
}

function explain(context: Context, generation: ListedGeneration | undefined, name: string): void {
  const chain = generation === undefined ? [] : reasonsOf(generation, name);
  if (generation === undefined || chain.length === 0) {
    throw new MeshError(
      'MESH_MIRROR_NONE',
      `the current generation has no package ${JSON.stringify(name.slice(0, 80))}`,
      {
        operation: 'explain package',
        object: name.slice(0, 80),
        remedy: 'Put it into the packages of a machine or into /host0/packages, and run `mesh system download`.',
      },
    );
  }
  context.answer({ generation: generation.number, chain }, () => chain.map((line) => `${line}\n`).join(''));
}

/** Why a package is there, from the package up to the word of machines, a sentence each. */
export function reasonsOf({ packages, worlds }: Generation, name: string): string[] {
  const byTitle = new Map(packages.map((one) => [titleOf(one), one]));
  const lines: string[] = [];
  let at = byTitle.get(name) ?? packages.find((one) => one.name === name);
  for (let steps = 0; at !== undefined && steps <= packages.length; steps++) {
    const { type, word, of } = at.why;
    const title = titleOf(at);
    if (type === 'dependency') lines.push(`${title} is there because ${of} needs ${word}.`);
    else if (type === 'install_if') lines.push(`${title} is there because of its install_if: ${word}.`);
    else {
      const machines = worlds.filter((world) => world.words.includes(word)).flatMap((world) => world.machines);
      const who = [...new Set(machines)];
      const shown = `${who.slice(0, 5).join(', ')}${who.length > 5 ? ` and ${who.length - 5} more` : ''}`;
      lines.push(`${title} is there because it is named by ${shown}: ${word}.`);
    }
    at = type === 'dependency' && of !== undefined ? byTitle.get(of) : undefined;
  }
  return lines;
}

async function rollback(context: Context, to: number | undefined): Promise<void> {
  requireRoot('change the mirror', ROOT_RULE);
  const { state } = context.paths;
  const { number, packages } = await withMirrorLock(state, () => new MirrorStore(state).rollback(to));
  context.answer(
    { generation: number },
    () => `Machines begin with generation ${number} from now on: ${packages.length} packages.\n`,
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
