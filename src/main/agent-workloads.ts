/** Composes the virtual machines of the agent. */
import { join } from 'node:path';
import type { NodeAssignments } from '../agent/assignment/node-assignments.ts';
import type { Volumes } from '../agent/images/volumes.ts';
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
  readonly volumes: Volumes;
}

/** The workloads of the node; those that an earlier agent has started go on. */
export function openWorkloads({ paths, ...input }: WorkloadsInput): NodeWorkloads {
  const { state, run, logs, root, machines, volumes: volumeDirectory } = paths;
  return new NodeWorkloads({
    ...input,
    run,
    directories: { machines, logs, pxen: join(root, 'run/pxen') },
    state: join(state, 'workloads'),
    volumeDirectory,
    user: vmUser(),
    listenerOf: unixListener,
    wasKilledForMemory,
  });
}
