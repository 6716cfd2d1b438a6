/** `mesh metrics`: what the processes of this machine count, as Prometheus would read it. */
import { Command, Option } from 'commander';
import { labelsText } from '../../metrics/exposition.ts';
import { FamiliesShape } from '../../metrics/family-shape.ts';
import type { Family, Sample } from '../../metrics/registry.ts';
import { MeshError } from '../../model/error.ts';
import { type ControlClient, clientOf, clientsHere } from '../../protocol/calls/control-client.ts';
import { visibleLines } from '../../protocol/documents/terminal-text.ts';
import { type DaemonName, TITLES } from '../../protocol/http/service-manager.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import type { Context } from '../context.ts';
import { bytesText } from '../print/bytes.ts';
import { durationText } from '../print/duration.ts';
import { localTime } from '../print/event-line.ts';
import { type Column, table } from '../print/table.ts';

interface MetricsOptions {
  readonly process?: DaemonName;
  readonly text?: boolean;
}

/** The document that `--json` prints for each process. */
interface ProcessMetrics {
  readonly process: DaemonName;
  readonly metrics: readonly Family[];
}

interface Row {
  readonly process: DaemonName;
  readonly metric: string;
  readonly value: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'PROCESS', text: ({ process }) => process },
  { title: 'METRIC', text: ({ metric }) => metric },
  { title: 'VALUE', text: ({ value }) => value, align: 'right' },
];

export function metricsCommand(context: Context): Command {
  return new Command('metrics')
    .addOption(new Option('--process <name>', 'only this process').choices(['host0', 'agent']))
    .option('--text', 'in the text format of Prometheus, with the meaning of each metric')
    .addHelpText(
      'after',
      '\nWithout --text and --json, metrics that are 0 are left out, and a histogram is one line for all its labels: how often, ' +
        'and the mean.\n' +
        '\nExamples:\n  $ mesh metrics\n  $ mesh metrics --text --process agent',
    )
    .action(async ({ process, text }: MetricsOptions) => {
      const clients = process === undefined ? await clientsHere(context.paths) : [clientOf(process, context.paths)];
      if (text === true && !context.json) {
        for (const client of clients)
          context.print(visibleLines(await client.text('GET /metrics', { accept: 'text/plain' })));
        return;
      }
      const answers = await Promise.all(
        clients.map(async (client): Promise<ProcessMetrics> => {
          const { document, fault } = readDocument(
            FamiliesShape,
            await client.text('GET /metrics', { accept: 'application/json' }),
          );
          if (fault !== undefined) throw unreadable(client, fault);
          return { process: client.daemon, metrics: document };
        }),
      );
      context.answer(answers, () => table(answers.flatMap(rows), COLUMNS, context.page));
    });
}

function rows({ process, metrics }: ProcessMetrics): Row[] {
  return metrics.flatMap((family) =>
    family.type === 'histogram' ? histogramRows(process, family) : numberRows(process, family),
  );
}

function numberRows(process: DaemonName, { name, samples }: Family): Row[] {
  return samples
    .filter(({ value }) => value !== 0)
    .map(({ labels, value }) => ({ process, metric: name + labelsText(labels), value: valueText(name, value) }));
}

/** Its labels can be dozens, such as the routes of an API: `--text` has each. */
function histogramRows(process: DaemonName, { name, samples }: Family): Row[] {
  const sumOf = (wanted: Sample['suffix']) =>
    samples.reduce((sum, { suffix, value }) => (suffix === wanted ? sum + value : sum), 0);
  const count = sumOf('_count');
  if (count === 0) return [];
  return [{ process, metric: name, value: `${count} times, ${valueText(name, sumOf('_sum') / count)} each` }];
}

function unreadable({ daemon, sock }: ControlClient, fault: string): MeshError {
  return new MeshError('MESH_INTERNAL', `${TITLES[daemon]} sent metrics that cannot be read: the document ${fault}`, {
    object: sock,
    remedy: 'Look whether another program listens there, or whether the process is of another version.',
  });
}

/** The value in the unit that the metric's name ends in. Six digits are enough to look at; large numbers are shown whole. */
function valueText(name: string, value: number): string {
  if (name.endsWith('_start_time_seconds')) return localTime(new Date(value * 1000).toISOString());
  if (name.endsWith('_bytes')) return bytesText(value, 1024);
  if (/_seconds(?:_total)?$/.test(name)) return value < 60 ? shortTimeText(value) : durationText(value);
  return String(Math.abs(value) < 1e6 ? Number(value.toPrecision(6)) : Math.round(value));
}

function shortTimeText(seconds: number): string {
  return seconds < 1 ? `${Number((seconds * 1000).toPrecision(3))} ms` : `${Number(seconds.toPrecision(3))} s`;
}
