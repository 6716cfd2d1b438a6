/** Why an emulator has ended, and what follows: its state, its error, and whether its policy starts it again. Pure. */
import { MeshError } from '../../model/error.ts';
import type { Workload } from '../../model/workload/workload.ts';
import type { EventInit } from '../../protocol/journal/event.ts';
import type { ProcessEnd } from '../../services/process/process-place.ts';
import { WELL_MS } from '../../services/process/restart-pause.ts';
import type { GuestEnding } from '../../services/qemu/qmp-answers.ts';

/** What is known of an end. */
export interface EndEvidence {
  readonly name: string;
  readonly process: Pick<ProcessEnd, 'status' | 'signal' | 'ranMs' | 'lastLine' | 'outOfMemory'>;
  /** What the monitor has said of the guest. */
  readonly said?: GuestEnding | undefined;
  /** The monitor has answered: the set-up is right. */
  readonly wasUp: boolean;
  /** The emulator has left its sockets behind, which it removes at each normal end. */
  readonly leftSockets: boolean;
}

/** An end. */
export interface Ending {
  /** `ended`: the guest has switched itself off, or a person has ended it. */
  readonly state: 'ended' | 'failed';
  /** For people, as a sentence. */
  readonly why: string;
  /** Of a failure. */
  readonly error?: MeshError;
  /** The same would happen again: the workload is not started again by itself. */
  readonly isLasting: boolean;
}

/** What to do about words of QEMU. The message has the words themselves. */
const REMEDIES: readonly (readonly [says: RegExp, remedy: string])[] = [
  [
    /Cannot lock pid file/,
    'Another emulator of this workload runs on this node. End it, and start the workload again.',
  ],
  [/Failed to get .* lock/, 'Another process has the volume open. See `fuser -v` on its file.'],
  [/Could not open '.*': No such file/, 'Put the file there, or give the volume a source.'],
  [/Permission denied/, 'See who may read the file, and which security module is in force.'],
  [/unable to find CPU model/, 'Name a model of `qemu-system-x86_64 -cpu help`, or host.'],
  [/Cannot allocate memory/, 'Give the workload less memory, or end others on this node.'],
  [/not in qcow2 format|Image is not/, 'The file of the volume has another format than its type says.'],
];

/** Judges an end. */
export function endingOf(evidence: EndEvidence): Ending {
  const { name, process, said, wasUp, leftSockets } = evidence;
  const { status, signal, ranMs, lastLine, outOfMemory } = process;
  if (outOfMemory) {
    return failed(
      new MeshError('MESH_WORKLOAD_MEMORY', `${name} was killed by the kernel, because memory ran out`, {
        object: name,
        remedy: 'Give the workload less memory, or end others on this node. See `dmesg`.',
      }),
    );
  }
  if (said === 'panicked') {
    return failed(
      new MeshError('MESH_WORKLOAD_PANICKED', `the kernel of ${name} has panicked`, {
        object: name,
        remedy: 'See the last lines of its console: `mesh workload log`.',
      }),
    );
  }
  if (status !== undefined && status !== 0) {
    // The monitor of a set-up that is wrong may have answered before the kernel or the disk was opened.
    return { ...failed(refusal(name, lastLine, status)), isLasting: !wasUp || ranMs < WELL_MS };
  }
  if (said === 'powered off') return ended('The guest has switched itself off.');
  if (status === 0 || (status === undefined && signal === undefined && !leftSockets)) {
    return ended(said === undefined ? 'The guest was switched off.' : 'The emulator was ended by a command.');
  }
  const how = signal === undefined ? 'while the agent was away' : `by ${signal}`;
  return failed(
    new MeshError('MESH_WORKLOAD_KILLED', `the emulator of ${name} was killed ${how}`, {
      object: name,
      remedy: 'See `dmesg`, and who ends processes on this node.',
    }),
  );
}

/** Whether the policy of a workload starts it again after an end. */
export function isStartedAgain(policy: Workload['restart'], { state, isLasting }: Ending): boolean {
  if (isLasting || policy === 'never') return false;
  return policy === 'always' || state === 'failed';
}

/** An end, for the journal. */
export function endingEvent(name: string, { why, error }: Ending): EventInit {
  return {
    ...{ kind: 'workload ended', level: error === undefined ? 'info' : 'error', object: name },
    message: `${name}: ${why}`,
    ...(error !== undefined && { code: error.code, ...(error.remedy !== undefined && { remedy: error.remedy }) }),
  };
}

function ended(why: string): Ending {
  return { state: 'ended', why, isLasting: false };
}

function failed(error: MeshError): Ending {
  return { state: 'failed', why: error.message, error, isLasting: false };
}

function refusal(name: string, lastLine: string, status: number): MeshError {
  const words = lastLine.replace(/^qemu-system-\w+: /, '') || `it has ended with ${status}`;
  const remedy = REMEDIES.find(([says]) => says.test(lastLine))?.[1] ?? 'Change the workload as QEMU says.';
  return new MeshError('MESH_QEMU_REFUSED', `QEMU refuses to run ${name}: ${words}`, { object: name, remedy });
}
