/** `mesh node log`: the journal of a node's agent, over its channel. */
import { Command, Option } from 'commander';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { EventLevel, MeshEvent } from '../../protocol/journal/event.ts';
import type { Context } from '../context.ts';
import { eventLine, LEVELS } from '../print/event-line.ts';
import { Interrupt } from '../print/interrupt.ts';
import { wholeNumber } from '../print/number-option.ts';

interface LogOptions {
  readonly follow?: boolean;
  readonly level: EventLevel;
  readonly lines: number;
}

export function nodeLogCommand(context: Context): Command {
  return new Command('log')
    .description('Show what has happened on a node: the journal of its agent, over its channel')
    .argument('<node>', 'its name or its machine id')
    .option('-f, --follow', 'go on with new events, until Ctrl-C')
    .addOption(new Option('--level <level>', 'only events of this level and above').choices(LEVELS).default('info'))
    .addOption(new Option('-n, --lines <n>', 'this many of the last events').default(50).argParser(wholeNumber(0)))
    .addHelpText(
      'after',
      '\nThe command is for host0. It needs no SSH, unlike `mesh node logview`, which reads the files of a node that host0 has booted.\n\n' +
        'Example:\n  $ mesh node log node1 --follow --level warning',
    )
    .action((node: string, options: LogOptions) => showLog(context, node, options));
}

async function showLog(context: Context, node: string, { follow = false, level, lines }: LogOptions): Promise<void> {
  const client = host0Client(context.paths);
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  const show = (event: MeshEvent): void => context.emit(event, () => eventLine(event, context.paint));
  const isWanted = (event: MeshEvent) => LEVELS.indexOf(event.level) >= LEVELS.indexOf(level);
  const past: MeshEvent[] = [];
  let lastId: string | undefined;
  try {
    const ask = { path: { node }, signal };
    for await (const { id, data } of client.messages('GET /v1/nodes/{node}/events', {
      ...ask,
      query: { follow: false },
    })) {
      lastId = id ?? lastId;
      if (isWanted(data)) past.push(data);
    }
    for (const event of past.slice(Math.max(0, past.length - lines))) show(event);
    if (!follow) return;
    for await (const { data } of client.messages('GET /v1/nodes/{node}/events', { ...ask, lastId, query: {} })) {
      if (isWanted(data)) show(data);
    }
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
    context.exitCode = interrupt.exitCode;
  }
}
