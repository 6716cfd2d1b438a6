/**
 * The processes of a lab's hosts: the product's own host0 and agent, each started inside its host's namespace. Each has
 * a session of its own, so that it outlives the process that started it.
 */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { commandDirectory, programFile } from '../../image/node/program-files.ts';
import { inNetns, netnsPath } from '../../kernel/netns.ts';
import { MeshError } from '../../model/error.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import type { DaemonName } from '../../protocol/http/service-manager.ts';
import { nodeOptionsOf } from '../../services/process/node-options.ts';
import { awaitEnd, type ProcessMark, signalProcess } from '../../services/process/process-mark.ts';
import type { ProcessSpec } from '../../services/process/process-spec.ts';
import { findRecorded, forgetRecorded, startUnsupervised } from '../../services/process/process-start.ts';
import type { HostPlan } from './topology.ts';

/**
 * A process ends within milliseconds of a SIGKILL and within a second of a SIGTERM. If one of its threads waits for the
 * kernel's global rtnl lock, for which many may be waiting, it takes several seconds on a busy machine.
 */
export const END_DEADLINE_MS = 20_000;
/** Signals that do not end a process: after them there is no end to wait for. */
const PAUSES: ReadonlySet<NodeJS.Signals> = new Set(['SIGSTOP', 'SIGCONT', 'SIGUSR1', 'SIGUSR2', 'SIGHUP']);

/** The programs that the lab starts on a host, in this order; none on an emulated machine. */
export function programsOf(host: HostPlan): readonly DaemonName[] {
  // An emulated machine starts its programs itself.
  if (host.emulated !== undefined) return [];
  return host.role === 'host0' ? ['host0', 'agent'] : ['agent'];
}

function argumentsOf(program: DaemonName, host: HostPlan, root: string): string[] {
  const common = ['--root', root, '--name', host.name];
  if (program === 'host0') return common;
  if (host.role === 'host0') return [...common, '--on-host0'];
  return [...common, '--machine', host.machine, '--host0', host.host0];
}

/**
 * Starts a command inside a namespace. The child inherits the namespace of the thread that forks it. Unlike `ip netns
 * exec`, this needs no wrapper process, and leaves no mount namespace for every daemon.
 */
export function spawnInside(netns: string, argv: readonly string[], options: SpawnOptions): ChildProcess {
  const [command = '', ...rest] = argv;
  return inNetns(netnsPath(netns), () => spawn(command, rest, options));
}

/**
 * Starts a process of the lab inside a namespace. It outlives this process, and has a record.
 * @param directory that of its record, and of its output
 * @throws MESH_LAB_FAILED if the program cannot be started
 */
export function startInside(netns: string, directory: string, spec: Omit<ProcessSpec, 'netns'>): ProcessMark {
  try {
    return startUnsupervised({ ...spec, netns: netnsPath(netns) }, directory, inNetns);
  } catch (cause) {
    const { message, remedy } = MeshError.from(cause);
    throw new MeshError('MESH_LAB_FAILED', message, { object: netns, cause, ...(remedy !== undefined && { remedy }) });
  }
}

/** The environment of every command on a host: `mesh` is in PATH, and all Node processes share one compile cache. */
export function hostEnvironment(root: string): Record<string, string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'meshwork/compile');
  const path = `${commandDirectory}:${process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin'}`;
  // MESH_HOST0_DIR may name the `/host0` of this machine's own host0: a lab must not use it.
  const { MESH_HOST0_DIR: _, ...inherited } = process.env;
  const own = Object.entries(inherited).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return { NODE_COMPILE_CACHE: cache, ...Object.fromEntries(own), PATH: path, MESH_ROOT: root };
}

/**
 * Starts a program of a host, and records its process.
 * @param root the host's root directory
 * @throws MESH_ALREADY_RUNNING, MESH_LAB_FAILED if the program is missing or cannot be started
 */
export function startProcess(program: DaemonName, host: HostPlan, root: string): ProcessMark {
  const running = findProcess(program, root);
  if (running !== undefined) {
    throw new MeshError('MESH_ALREADY_RUNNING', `${host.name} runs its ${program} already, as process ${running.pid}`, {
      object: host.name,
      remedy: 'Stop it first.',
    });
  }
  const file = programFile(program);
  if (!existsSync(file)) {
    throw new MeshError('MESH_LAB_FAILED', `there is no ${file}`, { object: file, remedy: 'Repair the installation.' });
  }
  return startInside(host.netns, root, {
    name: program,
    title: `the ${program} of ${host.name}`,
    argv: [process.execPath, ...nodeOptionsOf(program), file, ...argumentsOf(program, host, root)],
    directory: root,
    outputFile: logFile(program, root),
    env: hostEnvironment(root),
  });
}

/** Sends `signal`, and waits for the end if the signal ends a process. Does nothing if the program does not run. */
export async function stopProcess(program: DaemonName, root: string, signal: NodeJS.Signals): Promise<void> {
  const mark = findProcess(program, root);
  if (mark === undefined) return;
  signalProcess(mark, signal);
  if (PAUSES.has(signal)) return;
  await awaitEnd([mark], END_DEADLINE_MS);
  forgetRecorded(root, program);
}

/** Kills processes, and waits until all are gone. */
export async function killAll(marks: readonly ProcessMark[]): Promise<void> {
  for (const mark of marks) signalProcess(mark, 'SIGKILL');
  await awaitEnd(marks, END_DEADLINE_MS);
}

/** The running process of a program on the host with this root; undefined if it does not run. */
export function findProcess(program: DaemonName, root: string): ProcessMark | undefined {
  // Not in the run directory, which a reboot of the host empties. A crash may have cut the record short: `down` finds such a process
  // by its namespace (residents.ts).
  return findRecorded(root, program);
}

/** The last `lines` lines of the program's log. */
export function logTail(program: DaemonName, root: string, lines: number): string[] {
  const file = logFile(program, root);
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines) : [];
}

function logFile(program: DaemonName, root: string): string {
  return join(pathsBelow(root).logs, `${program}.log`);
}
