/** `mesh events`: what has happened here, from the journals of host0's daemon and of the agent. */
import { Command, Option } from 'commander';
import { type ControlClient, clientsHere } from '../../protocol/http/control-client.ts';
import { TITLES } from '../../protocol/http/service-manager.ts';
import type { EventLevel, MeshEvent } from '../../protocol/journal/event.ts';
import type { Context } from '../context.ts';
import { eventLine, LEVELS } from '../print/event-line.ts';
import { followEvents } from './event-follow.ts';

interface EventsOptions {
  readonly follow?: boolean;
  readonly level: EventLevel;
}

export function eventsCommand(context: Context): Command {
  return new Command('events')
    .option('-f, --follow', 'begin with the present conditions, and go on with new events, until Ctrl-C')
    .addOption(new Option('--level <level>', 'only events of this level and above').choices(LEVELS).default('info'))
    .addHelpText(
      'after',
      '\nWith --json each event is a line of JSON. `"snapshot": true` marks a condition that already holds when the stream ' +
        'begins. A process that goes away is waited for; after its restart the conditions come again.\n' +
        '\nExample:\n  $ mesh events --follow --level warning',
    )
    .action(async ({ follow, level }: EventsOptions) => {
      const sources = await clientsHere(context.paths);
      const show = (event: MeshEvent) => {
        if (LEVELS.indexOf(event.level) >= LEVELS.indexOf(level)) {
          context.emit(event, () => eventLine(event, context.paint));
        }
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
      for (const event of past.toSorted((a, b) => a.time.localeCompare(b.time))) show(event);
    });
}

async function forward(source: ControlClient, to: (event: MeshEvent) => void): Promise<void> {
  for await (const event of source.events('GET /v1/events', { query: { follow: '0' } })) to(event);
}
