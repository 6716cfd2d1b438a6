/** Composes what virtual machines need of the agent: images and volumes, processes, and the virtual machines themselves. */
import { dirname, join } from 'node:path';
import type { Agent } from '../agent/agent.ts';
import type { NodeAssignments } from '../agent/assignment/node-assignments.ts';
import { Arrivals } from '../agent/moves/arrivals.ts';
import { firmwareVariables } from '../agent/moves/firmware-variables.ts';
import { LeavingVolumes } from '../agent/moves/leaving-volumes.ts';
import { NodeWorkloads } from '../agent/workloads/node-workloads.ts';
import { vmUser } from '../agent/workloads/vm-place.ts';
import { wasKilledForMemory } from '../kernel/out-of-memory.ts';
import { unixListener } from '../kernel/unix/unix-listener.ts';
import { type AgentImagesInput, openImages } from './agent-images.ts';
import { openServices } from './agent-services.ts';

/** What the agent has before its workloads. */
export interface AgentWorkloadsInput extends AgentImagesInput {
  readonly assignments: NodeAssignments;
}

/** Opens the workloads of the node; those that an earlier agent has started go on. @throws those of `openImages` */
export function openWorkloads(input: AgentWorkloadsInput) {
  const { paths, clock, journal, assignments } = input;
  const { state, run, logs, root, machines, volumes: volumeDirectory } = paths;
  const images = openImages(input);
  const services = openServices(paths, clock, journal);
  const records = join(state, 'workloads');
  const variablesOf = (id: string) => firmwareVariables(records, id);
  const arrivals = new Arrivals({
    ...{ clock, directory: join(dirname(volumeDirectory), 'arrivals') },
    cache: images.images,
    volumes: images.volumes,
    variablesOf,
    given: () => (assignments.isComplete ? assignments.workloads : undefined),
  });
  const workloads = new NodeWorkloads({
    ...{ clock, journal, assignments, run, volumeDirectory },
    launcher: services.launcher,
    volumes: images.volumes,
    arrivals,
    directories: { machines, logs, pxen: join(root, 'run/pxen') },
    state: records,
    user: vmUser(),
    listenerOf: unixListener,
    wasKilledForMemory,
  });
  return {
    images,
    services,
    workloads,
    moves: {
      arrivals,
      leaving: new LeavingVolumes({
        stopped: (workload) => workloads.stopped(workload),
        volumes: images.volumes,
        variablesOf,
        settle: (assigned) => arrivals.settle(assigned),
      }),
    },
    /** What has findings. */
    parts: [services, workloads, images.images],
    /** Runs the workloads beside the agent. */
    runBeside(agent: Agent): void {
      assignments.runWith(workloads);
      // A fault of the disk is met again, and told, by the next copy.
      void arrivals.sweep().catch(() => undefined);
      workloads.serve({
        portState: (port) => agent.ports.stateOf(port),
        mtuOf: (link) => agent.cache.linkNamed(link)?.mtuBytes,
        takeUp: () => void agent.reconciler.wake(),
      });
      agent.reconciler.passes.subscribe(() => workloads.lookAfterPass());
    },
    /** Leaves the processes running, for the next agent. */
    async release(): Promise<void> {
      images.close();
      await arrivals.close();
      await workloads.release();
      await services.release();
    },
  };
}
