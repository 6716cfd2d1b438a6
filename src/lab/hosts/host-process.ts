/**
 * The processes of a lab's hosts: the product's own host0 and agent, each started inside its host's namespace. Each has
 * a session of its own, so that it outlives the process that started it.
 */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { commandDirectory, programFile } from '../../image/node/program-files.ts';
import { inNetns, netnsPath } from '../../kernel/netns.ts';
import { MeshError } from '../../model/error.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import type { DaemonName } from '../../protocol/http/service-manager.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { type Launch, launch } from '../../services/process/launch.ts';
import {
  awaitEnd,
  isRunning,
  type ProcessMark,
  ProcessMarkShape,
  signalProcess,
} from '../../services/process/process-mark.ts';
import type { HostPlan } from './topology.ts';

/**
 * A process ends within milliseconds of a SIGKILL and within a second of a SIGTERM. If one of its threads waits for the
 * kernel's global rtnl lock, for which many may be waiting, it takes several seconds on a busy machine.
 */
const END_DEADLINE_MS = 20_000;
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

/** Starts a process inside a namespace that outlives this process. @returns undefined if the program cannot be started */
export function launchInside(netns: string, wanted: Omit<Launch, 'within'>): ProcessMark | undefined {
  return launch({ ...wanted, within: (fork) => inNetns(netnsPath(netns), fork) });
}

/** The environment of every command on a host: `mesh` is in PATH, and all Node processes share one compile cache. */
export function hostEnvironment(root: string): NodeJS.ProcessEnv {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'meshwork/compile');
  const path = `${commandDirectory}:${process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin'}`;
  // MESH_HOST0_DIR may name the `/host0` of this machine's own host0: a lab must not use it.
  return { NODE_COMPILE_CACHE: cache, ...process.env, PATH: path, MESH_ROOT: root, MESH_HOST0_DIR: undefined };
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
  const mark = launchInside(host.netns, {
    argv: [process.execPath, '--disable-warning=ExperimentalWarning', file, ...argumentsOf(program, host, root)],
    directory: root,
    logFile: logFile(program, root),
    env: hostEnvironment(root),
  });
  if (mark === undefined) throw new MeshError('MESH_LAB_FAILED', `cannot start ${file}`, { object: host.name });
  writeFileSync(markFile(program, root), JSON.stringify(mark));
  return mark;
}

/** Sends `signal`, and waits for the end if the signal ends a process. Does nothing if the program does not run. */
export async function stopProcess(program: DaemonName, root: string, signal: NodeJS.Signals): Promise<void> {
  const mark = findProcess(program, root);
  if (mark === undefined) return;
  signalProcess(mark, signal);
  if (PAUSES.has(signal)) return;
  await awaitEnd([mark], END_DEADLINE_MS);
  rmSync(markFile(program, root), { force: true });
}

/** Kills processes, and waits until all are gone. */
export async function killAll(marks: readonly ProcessMark[]): Promise<void> {
  for (const mark of marks) signalProcess(mark, 'SIGKILL');
  await awaitEnd(marks, END_DEADLINE_MS);
}

/** The running process of a program on the host with this root; undefined if it does not run. */
export function findProcess(program: DaemonName, root: string): ProcessMark | undefined {
  let text: string;
  try {
    text = readFileSync(markFile(program, root), 'utf8');
  } catch {
    return undefined;
  }
  // A crash may have cut the file short. `down` finds such a process by its namespace (residents.ts).
  const { document: mark } = readDocument(ProcessMarkShape, text);
  return mark !== undefined && isRunning(mark) ? mark : undefined;
}

/** The last `lines` lines of the program's log. */
export function logTail(program: DaemonName, root: string, lines: number): string[] {
  const file = logFile(program, root);
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines) : [];
}

function logFile(program: DaemonName, root: string): string {
  return join(pathsBelow(root).logs, `${program}.log`);
}

/** The record of a process. Not in the run directory, which a reboot of the host empties. */
function markFile(program: DaemonName, root: string): string {
  return join(root, `.${program}.json`);
}
