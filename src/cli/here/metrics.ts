/** `mesh metrics`: what the processes of this machine count, as Prometheus would read it. */
import { Command, Option } from 'commander';
import { labelsText } from '../../metrics/exposition.ts';
import { FamiliesShape } from '../../metrics/family-shape.ts';
import type { Family, Sample } from '../../metrics/registry.ts';
import { MeshError } from '../../model/error.ts';
import { visibleLines } from '../../protocol/documents/terminal-text.ts';
import { type ControlClient, clientOf, clientsHere } from '../../protocol/http/control-client.ts';
import { type DaemonName, TITLES } from '../../protocol/http/service-manager.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import type { Context } from '../context.ts';
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
  readonly family: Family;
  readonly sample: Sample;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'PROCESS', text: ({ process }) => process },
  { title: 'METRIC', text: ({ family, sample }) => family.name + sample.suffix + labelsText(sample.labels) },
  { title: 'VALUE', text: ({ sample }) => valueText(sample.value), align: 'right' },
];

export function metricsCommand(context: Context): Command {
  return new Command('metrics')
    .addOption(new Option('--process <name>', 'only this process').choices(['host0', 'agent']))
    .option('--text', 'in the text format of Prometheus, with the meaning of each metric')
    .addHelpText(
      'after',
      '\nWithout --text and --json, histograms are shown by their count and sum, and metrics that are 0 are left out.\n' +
        '\nExamples:\n  $ mesh metrics\n  $ mesh metrics --text --process agent',
    )
    .action(async ({ process, text }: MetricsOptions) => {
      const clients = process === undefined ? await clientsHere(context.paths) : [clientOf(process, context.paths)];
      if (text === true && !context.json) {
        for (const client of clients) context.print(visibleLines(await client.text('/metrics', 'text/plain')));
        return;
      }
      const answers = await Promise.all(
        clients.map(async (client): Promise<ProcessMetrics> => {
          const { document, fault } = readDocument(FamiliesShape, await client.text('/metrics', 'application/json'));
          if (fault !== undefined) throw unreadable(client, fault);
          return { process: client.daemon, metrics: document };
        }),
      );
      context.answer(answers, () => table(answers.flatMap(rows), COLUMNS, context.page));
    });
}

function rows({ process, metrics }: ProcessMetrics): Row[] {
  return metrics.flatMap((family) =>
    family.samples
      .filter(({ suffix, value }) => suffix !== '_bucket' && value !== 0)
      .map((sample) => ({ process, family, sample })),
  );
}

function unreadable({ daemon, sock }: ControlClient, fault: string): MeshError {
  return new MeshError('MESH_INTERNAL', `${TITLES[daemon]} sent metrics that cannot be read: the document ${fault}`, {
    object: sock,
    remedy: 'Look whether another program listens there, or whether the process is of another version.',
  });
}

/** Six digits are enough to look at; large numbers are shown whole. */
function valueText(value: number): string {
  return String(Math.abs(value) < 1e6 ? Number(value.toPrecision(6)) : Math.round(value));
}
