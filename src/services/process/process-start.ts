/** The start of a process by its spec, and the record of it. */
import { closeSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { type Launch, launch } from './launch.ts';
import { isRunning, type ProcessMark } from './process-mark.ts';
import { bootId, type ProcessRecord, RECORD_SUFFIX, readProcessRecord, writeProcessRecord } from './process-record.ts';
import { checkSpec, type ProcessSpec, specDigest } from './process-spec.ts';
import { mustBeInstalled } from './program-path.ts';

/** Runs `fork` in the network namespace at `path`. */
export type InNetns = <T>(path: string, fork: () => T) => T;

/** Opens a tap of the network namespace at `netns`; of this process's own when absent. @returns the descriptor */
export type OpenTap = (name: string, netns?: string) => number;

/** Starts a process in a session of its own that gets nothing but its output. @returns its pid */
export type StartChild = NonNullable<Launch['start']>;

interface Surroundings extends Pick<Launch, 'onError' | 'onExit' | 'start'> {
  readonly outputFile: string;
  /** Absent: specs name no namespace. */
  readonly inNetns?: InNetns | undefined;
  /** Absent: specs name no taps. */
  readonly openTap?: OpenTap | undefined;
}

/**
 * Starts a process as its spec says.
 * @returns undefined if the program cannot be started; `onError` is called then
 * @throws MESH_PROCESS_NOT_STARTED if the program is not installed; an error of the kernel, such as MESH_KERNEL_REFUSED when another process has a tap open
 */
export function startBySpec(
  spec: ProcessSpec,
  { outputFile, inNetns, openTap, ...listeners }: Surroundings,
): ProcessMark | undefined {
  const { argv, directory = '/', netns, env, user, stdin, taps = [] } = spec;
  if (netns !== undefined && inNetns === undefined) throw new RangeError(`${spec.name} cannot enter a namespace`);
  if (taps.length > 0 && openTap === undefined) throw new RangeError(`${spec.name} cannot be given a tap`);
  mustBeInstalled(argv);
  const descriptors: number[] = [];
  try {
    for (const tap of taps) if (openTap !== undefined) descriptors.push(openTap(tap, netns));
    return launch({
      ...listeners,
      argv,
      directory,
      descriptors,
      logFile: outputFile,
      ...(env !== undefined && { env }),
      ...(user !== undefined && { user }),
      ...(stdin !== undefined && { stdin }),
      ...(netns !== undefined && inNetns !== undefined && { within: (fork) => inNetns(netns, fork) }),
    });
  } finally {
    // The process has its own copies: a tap has carrier as long as these are open.
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

/** The record of a process that has just been started. @param group the directory of its cgroup */
export function newRecord(spec: ProcessSpec, mark: ProcessMark, group: string | undefined): ProcessRecord {
  const { rereads, stopSignal, stopSec, label = '' } = spec;
  return {
    ...mark,
    fingerprint: specDigest(spec),
    label,
    boot: bootId(),
    ready: spec.readiness === undefined,
    ...(rereads !== undefined && { reread: rereads.digest }),
    ...(group !== undefined && { group }),
    ...(stopSignal !== undefined && { stopSignal }),
    ...(stopSec !== undefined && { stopSec }),
  };
}

/** Where the output of a process goes. @param directory that of its record */
export function outputFileOf(
  directory: string,
  { name, outputFile }: Pick<ProcessSpec, 'name' | 'outputFile'>,
): string {
  return outputFile ?? join(directory, `${name}.log`);
}

/** Where the record of a process is. */
export function recordFileOf(directory: string, name: string): string {
  return join(directory, `${name}${RECORD_SUFFIX}`);
}

/**
 * Starts a process that nobody supervises, and records it, so that a later command finds it. It gets no cgroup: a test kills a
 * daemon alone, and what the daemon has started goes on.
 * @throws MESH_PROCESS_NOT_STARTED if the program cannot be started; an error of the file system
 */
export function startUnsupervised(spec: ProcessSpec, directory: string, inNetns: InNetns): ProcessMark {
  checkSpec(spec);
  mkdirSync(directory, { recursive: true });
  const mark = startBySpec(spec, { outputFile: outputFileOf(directory, spec), inNetns });
  if (mark === undefined) {
    const [program] = spec.argv;
    throw new MeshError('MESH_PROCESS_NOT_STARTED', `${spec.title} cannot be started: there is no ${program}`, {
      object: program,
      remedy: `Install ${program}, or repair the installation.`,
    });
  }
  writeProcessRecord(recordFileOf(directory, spec.name), newRecord(spec, mark, undefined));
  return mark;
}

/** The recorded process, if it still runs. */
export function findRecorded(directory: string, name: string): ProcessMark | undefined {
  const { record } = readProcessRecord(recordFileOf(directory, name));
  return record !== undefined && isRunning(record) ? record : undefined;
}

/** Removes the record of a process that has ended. */
export function forgetRecorded(directory: string, name: string): void {
  rmSync(recordFileOf(directory, name), { force: true });
}
