/** Waits for the agents of a lab: until there is no drift, and until all networks are ready. */
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { MeshError } from '../../src/model/error.ts';
import { agentClient } from '../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../src/protocol/documents/paths.ts';
import type { AgentStatus, DriftView } from '../../src/protocol/documents/views.ts';
import { until } from './until.ts';

/** A repair takes about 50 ms; after lost events everything is read again and repaired. */
const REPAIR_DEADLINE_MS = 15_000;
/** An agent starts within half a second, and makes its first report to host0 within another. */
const START_DEADLINE_MS = 15_000;

/** Waits until `mesh drift` is empty on every host. @throws Error with the remaining drift */
export async function noDrift(hosts: readonly LabHost[]): Promise<void> {
  await Promise.all(
    hosts.map(async (host) => {
      let last: DriftView | undefined;
      try {
        await until('there is no drift', REPAIR_DEADLINE_MS, async () => {
          last = await agentClient(pathsBelow(host.root)).ask('GET /v1/drift');
          return last.steps.length === 0 && last.cacheDifference === 0;
        });
      } catch (cause) {
        throw new Error(`drift of ${host.name}: ${JSON.stringify(last)}`, { cause });
      }
    }),
  );
}

/** The status of the host's agent; undefined while the agent does not answer. */
export async function statusOf(host: LabHost): Promise<AgentStatus | undefined> {
  try {
    return await agentClient(pathsBelow(host.root)).ask('GET /v1/status');
  } catch (error) {
    if (error instanceof MeshError) return undefined;
    throw error;
  }
}

/** Waits until the host's agent answers, and each of its networks is ready. */
export async function isReady(host: LabHost): Promise<void> {
  await until(`${host.name} is ready`, START_DEADLINE_MS, async () => {
    const networks = (await statusOf(host))?.networks ?? [];
    if (networks.length === 0) return false;
    return networks.every(({ state, host0Answers }) => state.phase === 'ready' && host0Answers !== false);
  });
}
