/** `mesh explain OBJECT`: why a device, an address or a network is there, and what belongs to it. */
import { Command } from 'commander';
import { agentClient } from '../../protocol/calls/control-client.ts';
import type { ExplainView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import type { Tone } from '../print/color.ts';
import { printable } from '../print/printable.ts';
import { type Column, table } from '../print/table.ts';
import { askHere } from './held-elsewhere.ts';

type ExplainedItem = ExplainView['items'][number];

export function explainCommand(context: Context): Command {
  return new Command('explain')
    .argument('<object>', 'a device, an address, a member or a network')
    .addHelpText('after', '\nExamples:\n  $ mesh explain br456\n  $ mesh explain node3')
    .action(async (object: string) => {
      const view = await askHere(context, object, `mesh explain ${object}`, () =>
        agentClient(context.paths).ask('GET /v1/explain', { query: { object } }),
      );
      context.answer(view, () => explainText(view, context));
    });
}

const TONES: Record<ExplainedItem['state'], Tone> = {
  ready: 'good',
  missing: 'bad',
  different: 'warning',
  unwanted: 'warning',
};

const ITEM_COLUMNS: readonly Column<ExplainedItem>[] = [
  { title: 'STATE', text: (item) => item.state, tone: (item) => TONES[item.state] },
  { title: 'KERNEL OBJECT, AS THE COMMAND THAT WOULD MAKE IT', text: (item) => item.text },
];

function explainText({ object, network, reasons, items }: ExplainView, context: Context): string {
  const title = network === undefined ? object : `${object}, of network ${network.name}`;
  const why = reasons.map((reason, depth) => `${'  '.repeat(depth + 1)}${printable(reason)}\n`).join('');
  const parts = [`${context.paint('heading', printable(title))}\n${why}`, table(items, ITEM_COLUMNS, context.page)];
  return parts.filter((part) => part !== '').join('\n');
}
