/** How workloads and what commands do to them are shown to people. */
import type { WorkloadAnswer, WorkloadView } from '../../protocol/documents/workload/workload-view.ts';
import type { Context } from '../context.ts';
import { bytesText } from '../print/bytes.ts';
import type { Tone } from '../print/color.ts';
import { durationText } from '../print/duration.ts';
import { printable } from '../print/printable.ts';
import { properties } from '../print/properties.ts';
import { type Column, table } from '../print/table.ts';

/** The columns of `mesh workload list`. */
const LIST_COLUMNS: readonly Column<WorkloadView>[] = [
  { title: 'NAME', text: ({ name }) => name, flexible: true },
  { title: 'STATE', text: workloadStateText, flexible: true, tone: stateTone },
  { title: 'NODE', text: ({ node }) => node ?? '–' },
  { title: 'MEMORY', text: ({ workload }) => bytesText(workload.memoryBytes, 1024), align: 'right' },
  { title: 'CPU', text: cpuText },
  { title: 'NETWORKS', text: ({ ports }) => ports.map(({ network }) => network).join(', ') || '–', flexible: true },
  { title: 'AGE', text: ({ ageSec }) => (ageSec === undefined ? '–' : durationText(ageSec)), align: 'right' },
];

/** The table of all workloads. */
export function workloadTable(views: readonly WorkloadView[], context: Context): string {
  return (
    table(views, LIST_COLUMNS, context.page) || 'There is no workload. `mesh workload run --image FILE` starts one.\n'
  );
}

/** All about one workload. */
export function workloadText(view: WorkloadView, context: Context): string {
  const { workload, run, ports, error } = view;
  const about = properties(
    [
      ['workload', view.name],
      ['state', workloadStateText(view)],
      ['why', view.why],
      ['error', error?.message],
      ['remedy', error?.remedy],
      ['since', view.ageSec === undefined ? undefined : durationText(view.ageSec)],
      ['wanted', view.wanted],
      ['node', view.node],
      ['moves to', view.movesTo],
      ['also on', view.alsoOn?.join(', ')],
      ['uuid', workload.uuid],
      ['id', view.id],
      ['memory', memoryText(view)],
      ['cpu', `${workload.cpu.threads} × ${run?.cpuMode ?? workload.cpu.mode}`],
      ['runs by', run?.accelerator === undefined ? undefined : acceleratorText(run.accelerator)],
      ['because', run?.acceleratorWhy],
      ['pid', run?.pid === undefined ? undefined : String(run.pid)],
      ['restarts', run === undefined ? undefined : String(run.restarts)],
      ['disks in memory', volumeMemoryText(view)],
      ['restart', workload.restart],
      ['firmware', workload.firmware],
    ],
    context.paint,
  );
  const volumes = table(workload.volumes, VOLUME_COLUMNS, context.page);
  const cards = table(ports, CARD_COLUMNS, context.page);
  return [about, volumes, cards].filter((part) => part !== '').join('\n');
}

/** What a command has done, or would do. */
export function answerText({ workload, steps, dryRun }: WorkloadAnswer): string {
  if (steps.length === 0)
    return printable(`${workload.name} is as wanted: ${workloadStateText(workload)}.`).concat('\n');
  const lines = steps.map((step) => `  ${printable(step)}\n`).join('');
  return dryRun ? `${steps.length === 1 ? 'One step' : `${steps.length} steps`}:\n${lines}` : lines;
}

/** States that wait for what `why` says. */
const WITH_REASON: ReadonlySet<WorkloadView['state']> = new Set(['waiting', 'preparing', 'starting', 'paused']);

/** A state in words. */
export function workloadStateText({ state, movesTo, why, wanted }: WorkloadView): string {
  if (state === 'moving') return why === undefined ? `moves to ${movesTo}` : `moves to ${movesTo}: ${why}`;
  if (state === 'stopped' && wanted !== 'stopped') return 'stopped, to be started';
  return WITH_REASON.has(state) && why !== undefined ? `${state}: ${why}` : state;
}

function stateTone({ state }: WorkloadView): Tone | undefined {
  if (state === 'running') return 'good';
  return ['failed', 'disk-full', 'lost'].includes(state) ? 'bad' : undefined;
}

function cpuText({ workload, run }: WorkloadView): string {
  const emulated = run?.accelerator === 'tcg' ? ', emulated' : '';
  return `${workload.cpu.threads}${emulated}`;
}

function memoryText({ workload, run }: WorkloadView): string {
  const asked = bytesText(workload.memoryBytes, 1024);
  return run?.memoryBytes === undefined ? asked : `${asked}, ${bytesText(run.memoryBytes, 1024)} in use`;
}

function volumeMemoryText({ run }: WorkloadView): string | undefined {
  if (run?.volumeMemoryBytes === undefined) return undefined;
  const taken = bytesText(run.volumeMemoryBytes, 1024);
  return run.volumeDemandBytes === undefined ? taken : `${taken} of ${bytesText(run.volumeDemandBytes, 1024)}`;
}

function acceleratorText(accelerator: 'kvm' | 'tcg'): string {
  return accelerator === 'kvm' ? 'kvm: the processor itself' : 'tcg: emulated, many times slower';
}

const VOLUME_COLUMNS: readonly Column<WorkloadView['workload']['volumes'][number]>[] = [
  { title: 'VOLUME', text: ({ id }) => id },
  { title: 'TYPE', text: ({ type }) => type },
  {
    title: 'SIZE',
    text: ({ sizeBytes }) => (sizeBytes === undefined ? '–' : bytesText(sizeBytes, 1024)),
    align: 'right',
  },
  { title: 'PATH', text: ({ path }) => path, flexible: true },
  { title: 'SOURCE', text: ({ source }) => source ?? '–', flexible: true },
];

const CARD_COLUMNS: readonly Column<WorkloadView['ports'][number]>[] = [
  { title: 'CARD', text: ({ id }) => id },
  { title: 'NETWORK', text: ({ network }) => network },
  { title: 'PORT', text: ({ port }) => port ?? '–' },
  { title: 'MAC', text: ({ mac }) => mac ?? '–' },
  { title: 'ADDRESSES', text: ({ addresses }) => addresses.join(', ') || '–' },
];
