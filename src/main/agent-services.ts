/** Composes the processes and files of the agent. */
import { join } from 'node:path';
import { NodeServices } from '../agent/services/node-services.ts';
import { OwnedFiles } from '../disk/owned-files.ts';
import { inNetns } from '../kernel/netns.ts';
import { openTap } from '../kernel/tap/tap.ts';
import type { Clock } from '../model/clock.ts';
import type { Journal } from '../protocol/journal/journal.ts';
import { Launcher } from '../services/process/launcher.ts';

/** Adopts the processes that an earlier agent has started. @param state the state directory */
export function openServices(state: string, clock: Clock, journal: Journal): NodeServices {
  const launcher = new Launcher({
    directory: join(state, 'services/processes'),
    clock,
    journal,
    inNetns,
    openTap: (name, netns) => openTap(name, netns === undefined ? {} : { netns }),
  });
  return new NodeServices(launcher, new OwnedFiles(join(state, 'services/files')));
}
