/** `mesh network events`: what becomes of networks, as it happens. */
import type { Command } from 'commander';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { LifecycleNews } from '../../protocol/documents/catalogue.ts';
import type { Context } from '../context.ts';
import { localTime } from '../print/event-line.ts';
import { printable } from '../print/printable.ts';

/** Adds `mesh network events`. */
export function addNetworkEvents(network: Command, context: Context): void {
  network
    .command('events')
    .description('Show what becomes of networks, until Ctrl-C: defined, started, updated, stopped, undefined')
    .argument('[network]', 'only this one: its name')
    .addHelpText(
      'after',
      '\nChanges by any command, document or file are shown. The journal has them too: `mesh events`.\n' +
        '\nExamples:\n  $ mesh network events\n  $ mesh network events blue --json',
    )
    .action(async (name: string | undefined) => {
      await followLifecycle(context, {
        isWanted: (news) => name === undefined || news.name === name,
        onNews: (news) => {
          context.emit(news, () =>
            printable(`${localTime(news.time)}  ${news.kind.padEnd(9)}  ${news.name}`).concat('\n'),
          );
          return true;
        },
      });
    });
}

/** Which news are wanted, and for how long. */
export interface LifecycleFollower {
  readonly isWanted: (news: LifecycleNews) => boolean;
  /** @returns whether more news are wanted */
  readonly onNews: (news: LifecycleNews) => boolean;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/** Passes news on until they are wanted no more, or the signal is given. @throws MESH_NOT_RUNNING when host0 goes away */
export async function followLifecycle(
  context: Context,
  { isWanted, onNews, signal }: LifecycleFollower,
): Promise<void> {
  const stream = host0Client(context.paths).messages('GET /v1/lifecycle', { ...(signal !== undefined && { signal }) });
  try {
    for await (const { data } of stream) if (isWanted(data) && !onNews(data)) return;
  } catch (thrown) {
    if (signal?.aborted !== true) throw thrown;
    return;
  }
  if (signal?.aborted !== true)
    throw new MeshError('MESH_NOT_RUNNING', 'host0 went away', {
      remedy: 'Look at it: `mesh status`',
      retryable: true,
    });
}
