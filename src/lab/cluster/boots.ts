/** Follows the boots of a lab's machines, until all are members of the mesh. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { BootView } from '../../protocol/documents/boot-views.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import { LastWords } from '../checks/silence.ts';
import type { LabHost } from '../hosts/lab-host.ts';

/** Five times what host0 needs until it serves a segment, which it first watches for five seconds. */
const SERVED_WITHIN_MS = 45_000;
const LOOK_MS = 100;
/** Five times what a machine with a processor of its own takes. */
const MEMBER_WITHIN_MS = 200_000;

/** Waits until the boot server of a segment runs. @throws MESH_LAB_FAILED with the modes of the segments if none does in time */
export async function untilSegmentServed(host0: LabHost, signal?: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + SERVED_WITHIN_MS;
  const client = host0Client(pathsBelow(host0.root));
  let view: BootView | undefined;
  while (performance.now() < giveUpAt) {
    signal?.throwIfAborted();
    view = await client.ask('GET /v1/boot').catch(() => undefined);
    if (view?.segments.some(({ service }) => service?.state === 'running')) return;
    await sleep(LOOK_MS);
  }
  const mode =
    view?.segments.map((segment) => `${segment.device} is ${segment.mode}, ${segment.reason}`).join('; ') ??
    'no answer';
  throw new MeshError('MESH_LAB_FAILED', `host0 does not serve the segment: ${mode}`, {
    operation: 'wait for host0',
    cause: new LastWords([host0]),
  });
}

/**
 * Waits until all machines are members. @returns the boot of each machine, in the order of `machines`
 * @param since ISO 8601: boots that began earlier are ignored
 * @throws MESH_LAB_FAILED with the stage and trouble of each machine that is not a member in time
 */
export async function untilMembers(
  host0: LabHost,
  machines: readonly LabHost[],
  since: string,
  { onBoot = () => {}, signal }: { onBoot?: (view: TimelineView) => void; signal?: AbortSignal | undefined } = {},
): Promise<TimelineView[]> {
  const boots = new Map<string, TimelineView>();
  const deadline = AbortSignal.timeout(MEMBER_WITHIN_MS * Math.ceil(machines.length / 2));
  const ends = AbortSignal.any([deadline, ...(signal === undefined ? [] : [signal])]);
  const found = () => machines.flatMap((machine) => boots.get(cardOf(machine)) ?? []);
  const client = host0Client(pathsBelow(host0.root));
  try {
    for await (const view of client.events('GET /v1/boots/events', { signal: ends })) {
      if (view.began < since || !machines.some((machine) => cardOf(machine) === view.mac)) continue;
      boots.set(view.mac, view);
      onBoot(view);
      if (found().length === machines.length && found().every(({ state }) => state === 'member')) return found();
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (!deadline.aborted) throw error;
  }
  throw notBooted(host0, machines, boots);
}

function notBooted(host0: LabHost, machines: readonly LabHost[], boots: ReadonlyMap<string, TimelineView>): MeshError {
  const late = machines.filter((machine) => boots.get(cardOf(machine))?.state !== 'member');
  const words = late.map((machine) => {
    const boot = boots.get(cardOf(machine));
    const stage = boot?.stages.at(-1)?.stage;
    return `${machine.name} ${stage === undefined ? 'sent nothing' : `is in stage ${stage}`}${boot?.trouble === undefined ? '' : `: ${boot.trouble.cause}`}`;
  });
  const remedy = late.map((machine) => boots.get(cardOf(machine))?.trouble?.remedy).find((text) => text !== undefined);
  return new MeshError('MESH_LAB_FAILED', `not all machines became members: ${words.join('; ')}`, {
    operation: 'boot machines',
    remedy: remedy ?? 'Keep the lab with --keep, and look at `mesh lab exec host0 -- mesh node boot`.',
    cause: new LastWords([host0, ...late]),
  });
}

function cardOf({ ports, name }: LabHost): string {
  const [port] = ports;
  if (port === undefined) throw new RangeError(`${name} has no port`);
  return port.mac;
}
