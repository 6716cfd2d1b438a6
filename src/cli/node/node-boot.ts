/** `mesh node boot`: the stage that each network boot has reached, and why one is stuck. */
import { isDeepStrictEqual } from 'node:util';
import { Command } from 'commander';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import { BOOT_STAGES, type ReachedStage, type TimelineView } from '../../protocol/documents/timeline-view.ts';
import type { Context } from '../context.ts';
import type { Paint, Tone } from '../print/color.ts';
import { durationText } from '../print/duration.ts';
import { printable } from '../print/printable.ts';
import { type Column, type Page, table } from '../print/table.ts';

/** `mesh node boot`: one machine or all of them, once or with --follow. Exit code 1 when the one machine is stuck. */
export function nodeBootCommand(context: Context): Command {
  return new Command('boot')
    .description('Show which stage each network boot has reached, and why one is stuck')
    .argument('[machine]', 'its name, its machine id, or the address of its network card; without it, all')
    .option('-f, --follow', 'go on until the machine is a member, or until Ctrl-C')
    .addHelpText(
      'after',
      '\nA boot goes through these stages: ' +
        `${BOOT_STAGES.join(', ')}.\n` +
        '\nExamples:\n  $ mesh node boot\n  $ mesh node boot node1\n  $ mesh node boot 52:54:00:12:34:56 --follow',
    )
    .action(async (wanted: string | undefined, { follow }: { follow?: boolean }) => {
      if (follow) return await followBoots(context, wanted === undefined ? undefined : [wanted]);
      const boots = await host0Client(context.paths).ask('GET /v1/boots');
      if (wanted === undefined) {
        context.answer(
          boots,
          () => table(boots, COLUMNS, context.page) || 'No machine has booted since host0 started.\n',
        );
        return;
      }
      const boot = boots.find((view) => matches(view, wanted));
      if (boot === undefined) throw unknown(wanted);
      if (boot.state === 'stuck') context.exitCode = 1;
      context.answer(boot, () => bootText(boot, context.paint));
    });
}

const STATE_TONES = { booting: 'warning', stuck: 'bad', member: 'good' } as const satisfies Record<string, Tone>;

const COLUMNS: readonly Column<TimelineView>[] = [
  { title: 'MACHINE', text: ({ name, machine }) => name ?? machine ?? '-', flexible: true },
  { title: 'MAC', text: ({ mac }) => mac },
  { title: 'NIC', text: ({ device }) => device },
  { title: 'STATE', text: ({ state }) => state, tone: ({ state }) => STATE_TONES[state] },
  { title: 'STAGE', text: ({ stages }) => stages.at(-1)?.stage ?? '-' },
  { title: 'AGE', text: ({ ageMs }) => durationText(ageMs / 1000), align: 'right' },
  { title: 'CAUSE', text: ({ trouble }) => trouble?.cause ?? '', flexible: true },
];

function matches({ name, machine, mac }: TimelineView, wanted: string): boolean {
  return name === wanted || machine === wanted || mac === wanted.toLowerCase();
}

function unknown(wanted: string): MeshError {
  return new MeshError('MESH_NODE_UNKNOWN', `no boot of ${JSON.stringify(wanted)} has been seen`, {
    operation: 'show boot',
    object: wanted,
    remedy: 'See `mesh node boot` for the machines that booted, or switch it on and use --follow.',
  });
}

/**
 * Prints each stage when it is reached; with --json each document. Returns when all wanted machines are members; without
 * `wanted` it never returns.
 * @param wanted names, machine ids or MAC addresses; undefined for all machines
 * @param since ISO 8601; boots that began earlier are ignored
 */
export async function followBoots(context: Context, wanted: readonly string[] | undefined, since = ''): Promise<void> {
  const shown = new Map<string, TimelineView>();
  const arrived = new Set<string>();
  for await (const view of host0Client(context.paths).events('GET /v1/boots/events')) {
    const word = wanted?.find((candidate) => matches(view, candidate));
    if ((wanted !== undefined && word === undefined) || view.began < since) continue;
    const before = shown.get(view.mac);
    shown.set(view.mac, view);
    context.emit(view, () => newsText(view, before, context));
    if (word !== undefined && view.state === 'member') arrived.add(word);
    if (arrived.size === wanted?.length) return;
  }
}

/** Where the news of a boot are printed. */
interface NewsPage extends Pick<Context, 'paint'> {
  /** Its width is undefined where this is no terminal: nobody watches, so a stage is one line, when it is reached. */
  readonly page: Pick<Page, 'width'>;
}

/** One line for each thing that is new since `before`: stages, trouble, membership. Empty if nothing is. */
export function newsText(view: TimelineView, before: TimelineView | undefined, { paint, page }: NewsPage): string {
  const again = before?.began === view.began ? before : undefined;
  const who = printable(view.name ?? view.machine ?? view.mac);
  const old = again?.stages.at(-1);
  const isLive = page.width !== undefined;
  const lines = view.stages
    .slice(Math.max(0, (again?.stages.length ?? 0) - 1))
    .filter((reached) => isNews(reached, old?.stage === reached.stage ? old : undefined, isLive))
    .map((reached) => `${who}  ${stageText(reached, isLoading(reached) ? 'warning' : 'good', paint)}`);
  const { trouble } = view;
  if (trouble !== undefined && trouble.cause !== again?.trouble?.cause) lines.push(troubleText(view, paint).trimEnd());
  if (view.state === 'member' && again?.state !== 'member') {
    lines.push(paint('good', `${who} is a member after ${seconds(view.ageMs)}`));
  }
  return lines.map((line) => `${line}\n`).join('');
}

function isLoading({ detail }: ReachedStage): boolean {
  return detail === 'loading';
}

/** @param before the same stage as it was printed before; undefined if it was not */
function isNews(reached: ReachedStage, before: ReachedStage | undefined, isLive: boolean): boolean {
  if (isLoading(reached)) return isLive && before === undefined;
  if (before === undefined || isLoading(before)) return true;
  // The machine reports a stage that host0 has seen already: that the file was loaded, and now that it runs.
  return reached.detail !== undefined && !isDeepStrictEqual(before, reached);
}

/** One boot in full: the machine, every stage with its time, and what is wrong. */
function bootText(view: TimelineView, paint: Paint): string {
  const { name, machine, mac, device, ipv4, state, ageMs, stages } = view;
  const who = [name, machine, `${mac} on ${device}`, ipv4].filter((word) => word !== undefined).join(', ');
  const reached = stages.map((stage, index) => {
    const tone = index < stages.length - 1 ? 'good' : STATE_TONES[state];
    return `  ${stageText(stage, tone, paint)}\n`;
  });
  const last = stages.at(-1)?.stage;
  const ahead = BOOT_STAGES.slice(last === undefined ? 0 : BOOT_STAGES.indexOf(last) + 1);
  const missing = ahead.map((stage) => `  ${paint('quiet', `· ${stage}`)}\n`);
  const heading = `${paint('heading', printable(who))}: ${paint(STATE_TONES[state], state)} after ${seconds(ageMs)}\n`;
  return `${heading}${reached.join('')}${missing.join('')}${dueText(view, paint)}${troubleText(view, paint)}`;
}

const MARKS: Readonly<Partial<Record<Tone, string>>> = { good: '✓', warning: '▸', bad: '✗' };
const STAGE_WIDTH = Math.max(...BOOT_STAGES.map((stage) => stage.length));

function stageText({ stage, atMs, detail }: ReachedStage, tone: Tone, paint: Paint): string {
  const mark = paint(tone, MARKS[tone] ?? ' ');
  return `${mark} ${stage.padEnd(STAGE_WIDTH)} ${seconds(atMs).padStart(8)}  ${printable(detail ?? '')}`.trimEnd();
}

/** The deadline of the next stage, and where it comes from. */
function dueText({ due, stages, model = '' }: TimelineView, paint: Paint): string {
  if (due === undefined) return '';
  const { atMs, ms, from, boots } = due;
  const why = from === 'table' ? 'by default' : `learned from ${boots} boots of ${printable(model)}`;
  const text = `next stage by ${seconds(atMs)}: ${stages.at(-1)?.stage} may take ${seconds(ms)}, ${why}`;
  return `  ${paint('quiet', text)}\n`;
}

function troubleText({ trouble }: TimelineView, paint: Paint): string {
  if (trouble === undefined) return '';
  const { stage, cause, remedy, code } = trouble;
  return `${paint('bad', `Stuck in ${stage}`)}: ${printable(cause)} (${code})\n${printable(remedy)}\n`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
