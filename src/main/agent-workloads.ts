/** Composes the virtual machines of the agent. */
import { join } from 'node:path';
import type { NodeAssignments } from '../agent/assignment/node-assignments.ts';
import { existingVolumes } from '../agent/workloads/existing-volumes.ts';
import { NodeWorkloads } from '../agent/workloads/node-workloads.ts';
import { vmUser } from '../agent/workloads/vm-place.ts';
import { wasKilledForMemory } from '../kernel/out-of-memory.ts';
import { unixListener } from '../kernel/sockets/unix-listener.ts';
import type { Clock } from '../model/clock.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import type { Journal } from '../protocol/journal/journal.ts';
import type { Launcher } from '../services/process/launcher.ts';

interface WorkloadsInput {
  readonly paths: Paths;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly launcher: Launcher;
  readonly assignments: NodeAssignments;
}

/** The workloads of the node; those that an earlier agent has started go on. */
export function openWorkloads({ paths, ...input }: WorkloadsInput): NodeWorkloads {
  const { state, run, logs, root } = paths;
  const volumeDirectory = join(state, 'volumes');
  return new NodeWorkloads({
    ...input,
    directories: { run, logs, pxen: join(root, 'run/pxen') },
    state: join(state, 'workloads'),
    volumeDirectory,
    volumes: existingVolumes(volumeDirectory),
    user: vmUser(),
    listenerOf: unixListener,
    wasKilledForMemory,
  });
}
