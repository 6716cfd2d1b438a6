/** `mesh events`: what has happened here, from the journals of host0's daemon and of the agent. */
import { Command, Option } from 'commander';
import { type ControlClient, clientsHere } from '../../protocol/calls/control-client.ts';
import { TITLES } from '../../protocol/http/service-manager.ts';
import type { EventLevel, MeshEvent } from '../../protocol/journal/event.ts';
import type { Context } from '../context.ts';
import { eventLine, LEVELS } from '../print/event-line.ts';
import { wholeNumber } from '../print/number-option.ts';
import { pastTime } from '../print/past-time.ts';
import { followEvents } from './event-follow.ts';

interface EventsOptions {
  readonly follow?: boolean;
  readonly level: EventLevel;
  readonly lines?: number;
  /** ISO 8601, UTC. */
  readonly since?: string;
}

export function eventsCommand(context: Context): Command {
  return new Command('events')
    .option('-f, --follow', 'begin with the present conditions, and go on with new events, until Ctrl-C')
    .addOption(new Option('--level <level>', 'only events of this level and above').choices(LEVELS).default('info'))
    .addOption(
      new Option('-n, --lines <n>', 'only this many of the last events').conflicts('follow').argParser(wholeNumber(0)),
    )
    .addOption(
      new Option(
        '--since <time>',
        'only events after this: 30s, 10min, 2h or 3d ago, or a time such as 2026-11-30T08:15',
      )
        .conflicts('follow')
        .argParser(pastTime),
    )
    .addHelpText(
      'after',
      '\nWith --json each event is a line of JSON. `"snapshot": true` marks a condition that already holds when the stream ' +
        'begins. A process that goes away is waited for; after its restart the conditions come again.\n' +
        '\nExamples:\n  $ mesh events -n 20\n  $ mesh events --since 10min\n  $ mesh events --follow --level warning',
    )
    .action(async ({ follow, level, lines, since = '' }: EventsOptions) => {
      const sources = await clientsHere(context.paths);
      const isWanted = (event: MeshEvent) => LEVELS.indexOf(event.level) >= LEVELS.indexOf(level) && event.time > since;
      const show = (event: MeshEvent) => {
        if (isWanted(event)) context.emit(event, () => eventLine(event, context.paint));
      };
      if (follow) {
        const away = ({ daemon }: ControlClient) => {
          context.stderr.write(`${TITLES[daemon]} went away; waiting for it.\n`);
        };
        await Promise.all(sources.map((source) => followEvents(source, { onEvent: show, onAway: () => away(source) })));
        return;
      }
      const past: MeshEvent[] = [];
      await Promise.all(sources.map((source) => forward(source, (event) => past.push(event))));
      const wanted = past.filter(isWanted).toSorted((a, b) => a.time.localeCompare(b.time));
      for (const event of wanted.slice(lines === undefined ? 0 : Math.max(0, wanted.length - lines))) show(event);
    });
}

async function forward(source: ControlClient, to: (event: MeshEvent) => void): Promise<void> {
  for await (const event of source.events('GET /v1/events', { query: { follow: false } })) to(event);
}
