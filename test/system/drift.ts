/** Waits for the agents of a lab: until there is no drift, until all networks are ready, and until nothing is wrong. */
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
/** A node opens its channel again within three seconds after host0 is back; until then, the channel is a finding. */
const HEALTH_DEADLINE_MS = 20_000;

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

/** Waits until `mesh status` of the host has no finding. @throws Error with the remaining findings */
export async function noFindings(host: LabHost): Promise<void> {
  let last: AgentStatus | undefined;
  try {
    await until('nothing is wrong', HEALTH_DEADLINE_MS, async () => {
      last = await statusOf(host);
      return last?.health.length === 0;
    });
  } catch (cause) {
    throw new Error(`health of ${host.name}: ${JSON.stringify(last?.health)}`, { cause });
  }
}
