/**
 * Starts and stops one of the two daemons. The daemon runs in a session of its own and writes into a log file. Its pid is
 * recorded together with its start time, so that another process with a recycled pid is never taken for the daemon.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import { type ControlClient, clientOf } from '../../protocol/calls/control-client.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import {
  type DaemonName,
  lockPath,
  type ServiceManager,
  serviceManager,
  serviceName,
  stopCommand,
  TITLES,
} from '../../protocol/http/service-manager.ts';
import { nodeOptionsOf } from '../../services/process/node-options.ts';
import { runningIn, writePidFile } from '../../services/process/pid-file.ts';
import { isRunning, type ProcessMark, processMarkOf, signalProcess } from '../../services/process/process-mark.ts';
import { startBySpec } from '../../services/process/process-start.ts';
import type { Context } from '../context.ts';
import { hasEnded, isCommanded, isServiceWanted, OPTIONS_FILES, startService, stopService } from './service.ts';
import { lastJournalLines, linesOfProcesses } from './service-log.ts';

const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 10_000;
const POLL_MS = 50;
/** An error is a few lines. */
const LAST_WORDS_LINES = 20;

/** host0's daemon or the agent. Its pid file is `NAME.pid` in the run directory. */
export class Daemon {
  readonly name: DaemonName;
  readonly client: ControlClient;
  readonly logFile: string;
  readonly #entry: string;
  readonly #paths: Paths;

  constructor(name: DaemonName, { paths, entries }: Context) {
    this.name = name;
    this.client = clientOf(name, paths);
    this.logFile = logFileOf(paths, name);
    this.#entry = entries[name];
    this.#paths = paths;
  }

  /** The recorded pid; undefined unless the recorded process still runs. */
  pid(): number | undefined {
    return this.#running()?.pid;
  }

  /**
   * Starts the process in the background, and does not wait until it answers.
   * @throws MESH_PROCESS_NOT_STARTED
   */
  #start(flags: readonly string[]): void {
    mkdirSync(this.#paths.logs, { recursive: true, mode: 0o750 });
    const { name, logFile: outputFile } = this;
    const mark = startBySpec({ name, title: TITLES[name], argv: this.#commandLine(flags) }, { outputFile });
    if (mark === undefined)
      throw new MeshError('MESH_PROCESS_NOT_STARTED', `${TITLES[this.name]} could not be started`);
    this.#record(mark);
  }

  /**
   * Replaces this process by the daemon (execve), in the foreground. The pid stays; the memory of the command line is freed.
   * @throws MESH_ALREADY_RUNNING, and MESH_PROCESS_NOT_STARTED when Node has no execve
   */
  async become(flags: readonly string[]): Promise<never> {
    await this.#mustBeAlone();
    this.#record(processMarkOf(process.pid));
    const [node, ...args] = this.#commandLine(flags);
    process.execve?.(node, [node, ...args], process.env);
    throw new MeshError('MESH_PROCESS_NOT_STARTED', `${TITLES[this.name]} could not be started`, {
      remedy: 'Run it with Node 24 or later.',
    });
  }

  /**
   * Starts the process, unless it runs: as a service where the machine has its service, else in the background. Resolves when
   * the process answers.
   * @param flags for a process that is no service
   * @throws MESH_NOT_RUNNING when the process ends, or does not answer within START_DEADLINE_MS; MESH_PROCESS_NOT_STARTED
   */
  async run(flags: readonly string[]): Promise<void> {
    const { manager } = this;
    const isStarting = this.pid() !== undefined || (await this.client.answers());
    if (!isStarting && isCommanded(manager)) await startService(manager, this.name);
    else if (!isStarting && manager === 'none') this.#start(flags);
    const deadline = performance.now() + START_DEADLINE_MS;
    while (!(await this.client.answers())) {
      if (await this.#hasEnded()) throw await this.#failed('ended while it was starting');
      if (performance.now() > deadline) throw await this.#failed(`does not answer after ${START_DEADLINE_MS / 1000} s`);
      await delay(POLL_MS);
    }
  }

  async #hasEnded(): Promise<boolean> {
    const { manager } = this;
    if (this.pid() !== undefined || manager === 'init') return false;
    return manager === 'none' || (await hasEnded(manager, this.name));
  }

  /** The service manager that the process belongs to on this machine. */
  get manager(): ServiceManager {
    return serviceManager(this.name, this.#paths.root);
  }

  /**
   * Stops the process. A service is stopped by its service manager, which would start the process again otherwise.
   * @returns the pid of the process that was stopped, undefined if none ran
   * @throws MESH_PROCESS_NOT_ENDED
   */
  async stop(): Promise<number | undefined> {
    const mark = this.#running();
    const { manager } = this;
    if (isCommanded(manager) && (await isServiceWanted(manager, this.name))) await stopService(manager, this.name);
    if (mark === undefined) return undefined;
    const { pid } = mark;
    signalProcess(mark, 'SIGTERM');
    const deadline = performance.now() + STOP_DEADLINE_MS;
    while (isRunning(mark)) {
      if (performance.now() > deadline) {
        throw new MeshError('MESH_PROCESS_NOT_ENDED', `${TITLES[this.name]} was told to end and did not`, {
          operation: 'stop',
          object: `process ${pid}`,
          remedy: `See \`mesh system logview --process ${this.name}\`, then end it with \`kill -9 ${pid}\`.`,
        });
      }
      await delay(POLL_MS);
    }
    rmSync(this.#pidFile, { force: true });
    return pid;
  }

  get #pidFile(): string {
    return join(this.#paths.run, `${this.name}.pid`);
  }

  #commandLine(flags: readonly string[]): [string, ...string[]] {
    const { root, host0 } = this.#paths;
    const directories = ['--root', root, ...(this.name === 'host0' ? ['--host0-dir', host0] : [])];
    const options = [...process.execArgv, ...nodeOptionsOf(this.name)];
    return [process.execPath, ...options, this.#entry, ...directories, ...flags];
  }

  #record(mark: ProcessMark): void {
    mkdirSync(this.#paths.run, { recursive: true, mode: 0o750 });
    writePidFile(this.#pidFile, mark);
  }

  /** The process writes its mark into its lock, too, where it stays when /run is tidied up. */
  #running(): ProcessMark | undefined {
    return runningIn(this.#pidFile) ?? runningIn(lockPath(this.#paths.state, this.name));
  }

  /** @throws MESH_ALREADY_RUNNING when the recorded process runs, or another one answers */
  async #mustBeAlone(): Promise<void> {
    const pid = this.pid();
    if ((pid === undefined || pid === process.pid) && !(await this.client.answers())) return;
    throw new MeshError('MESH_ALREADY_RUNNING', `${TITLES[this.name]} runs already${pid ? ` (pid ${pid})` : ''}`, {
      operation: 'start',
      object: this.client.sock,
      rule: 'One of each kind runs on a machine.',
      remedy: `Stop it first (${stopCommand(this.name, this.#paths.root)}), or give this one another --root.`,
    });
  }

  async #failed(what: string): Promise<MeshError> {
    const { manager, name } = this;
    const service = serviceName(name);
    const lines =
      manager === 'systemd'
        ? await lastJournalLines(linesOfProcesses(service), LAST_WORDS_LINES)
        : (readIfThere(this.logFile) ?? '').trimEnd().split('\n');
    // Indented lines belong to the error above them.
    const lastWords = lines.findLast((line) => line !== '' && !line.startsWith(' ')) ?? '';
    const options = isCommanded(manager) && name === 'agent' ? ` Its options are in ${OPTIONS_FILES[manager]}.` : '';
    return new MeshError('MESH_NOT_RUNNING', `${TITLES[name]} ${what}`, {
      operation: 'start',
      object: manager === 'systemd' ? service : this.logFile,
      remedy: `It last said: ${JSON.stringify(lastWords.slice(0, 200))}.${options} See \`mesh system logview --process ${name}\`.`,
    });
  }
}

/** The file that gets stdout and stderr of a daemon that `mesh system start` starts. */
export function logFileOf(paths: Paths, name: DaemonName): string {
  return join(paths.logs, `${name}.log`);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
