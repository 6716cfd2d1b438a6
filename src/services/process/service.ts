/**
 * A supervised process that outlives this one. It has its own session, its output goes to a file, and a record of it is on
 * disk, so that a restarted supervisor adopts it as it is. While it is wanted, it is started again when it ends.
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { rotateLog } from '../../protocol/journal/log-rotation.ts';
import { launch } from './launch.ts';
import { isRunning, type ProcessMark, signalProcess } from './process-mark.ts';
import { RECORD_SUFFIX, readRecord, type ServiceRecord } from './service-record.ts';

/** How the process shall run. */
export interface ServiceSpec {
  /** The program and its arguments; the program is looked for in PATH. */
  readonly argv: readonly [program: string, ...rest: string[]];
  /** All that the process depends on, as a text or hash. A running process with another fingerprint is replaced. */
  readonly fingerprint: string;
  /** Writes the files that the process reads; called before each start. */
  readonly prepare: () => void;
  /** A text that is kept in the record, so that it is known after an adoption. */
  readonly label: string;
  /** What to do if the process ends with this last line; undefined if that is not known. */
  readonly remedyFor?: (lastWords: string) => string | undefined;
}

/** What a service needs. */
export interface ServiceInput {
  /** The name of the service in messages and of its files. */
  readonly name: string;
  /** The directory of its record and its output. */
  readonly directory: string;
  readonly clock: Clock;
  readonly journal: Journal;
}

/** An adopted process is checked this often: only the exit of a child is reported to its parent. */
const CHECK_MS = 500;
/** The pause before the second start; it doubles with each failure. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** A process that has run for this long was well started: its next end counts as the first failure. */
const WELL_MS = 10_000;
/** How long a process may take to end after SIGTERM, and again after SIGKILL. */
const END_DEADLINE_MS = 3_000;
/** A larger log is rotated. Two of these for each of 16 segments are still little. */
const LOG_MAX_BYTES = 1024 * 1024;
/** How often the log of a running process is looked at: a stranger may make it write some 100 kB a second. */
const LOG_LOOK_MS = 5_000;

/** The supervisor of one process. Its calls are carried out one after the other. */
export class Service {
  readonly #input: ServiceInput;
  /** How the process shall run; undefined while it is not wanted. */
  #spec: ServiceSpec | undefined;
  /** The process that runs. */
  #record: ServiceRecord | undefined;
  /** The record is on disk, where a restarted supervisor finds it. */
  #isKept = true;
  /** The process is a child of this one, and not adopted. */
  #isChild = false;
  /** How the last child ended. */
  #ending: string | undefined;
  #startedMs = 0;
  #failures = 0;
  #error: MeshError | undefined;
  #check: Alarm | undefined;
  /** The end of the last call. */
  #queue: Promise<void> = Promise.resolve();
  #released = false;

  constructor(input: ServiceInput) {
    this.#input = input;
    this.#record = readRecord(this.#recordFile);
  }

  /** The process that runs, started or adopted. */
  get running(): { readonly pid: number; readonly label: string } | undefined {
    const { pid, label } = this.#record ?? {};
    return pid === undefined || label === undefined ? undefined : { pid, label };
  }

  /** Why the process does not keep running (MESH_PROCESS_FAILED); undefined when it has run for ten seconds. */
  get error(): MeshError | undefined {
    return this.#error;
  }

  /** The file with the output of the process. */
  get logFile(): string {
    return join(this.#input.directory, `${this.#input.name}.log`);
  }

  /** Keeps the process running like this from now on. Resolves when it was started or adopted. Never rejects. */
  run(spec: ServiceSpec): Promise<void> {
    return this.#enqueue(async () => {
      // The same spec again: the process runs, or waits for its next start.
      if (this.#spec?.fingerprint === spec.fingerprint) return;
      this.#spec = spec;
      const { journal, name } = this.#input;
      if (this.#record?.fingerprint === spec.fingerprint) {
        if (this.#startedMs === 0) {
          journal.record({ kind: 'service adopted', message: `${name}: process ${this.#record.pid}`, object: name });
          this.#startedMs = this.#input.clock.nowMs();
        }
      } else {
        await this.#end();
        this.#failures = 0;
        this.#start();
      }
      this.#checkLater();
    });
  }

  /** Lets the process read its files again, by SIGHUP. Does nothing while none runs: a process that starts reads them anyway. */
  reload(): void {
    if (this.#record !== undefined && !this.#released) signalProcess(this.#record, 'SIGHUP');
  }

  /** Ends the process. Resolves when it is gone. Never rejects. */
  stop(): Promise<void> {
    return this.#enqueue(async () => {
      this.#spec = undefined;
      this.#error = undefined;
      this.#check?.cancel();
      await this.#end();
    });
  }

  /** Leaves the process running and stops supervising it. */
  async release(): Promise<void> {
    this.#released = true;
    this.#check?.cancel();
    await this.#queue;
  }

  get #recordFile(): string {
    return join(this.#input.directory, `${this.#input.name}${RECORD_SUFFIX}`);
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const call = this.#queue.then(() => (this.#released ? undefined : work()));
    this.#queue = call.catch((thrown: unknown) => this.#refused(MeshError.from(thrown)));
    return this.#queue;
  }

  #start(): void {
    const { name, directory, clock, journal } = this.#input;
    const spec = this.#spec;
    if (spec === undefined) return;
    mkdirSync(directory, { recursive: true });
    spec.prepare();
    rotateLog(this.logFile, LOG_MAX_BYTES);
    const mark = launch({
      argv: spec.argv,
      logFile: this.logFile,
      onError: (error) => this.#failed(`cannot be started: ${error.message}`),
      onExit: (status, signal) => {
        this.#ending = status === null ? `was ended by ${signal}` : `ended with ${status}`;
        this.#checkSoon(0);
      },
    });
    this.#startedMs = clock.nowMs();
    this.#isChild = true;
    this.#ending = undefined;
    if (mark === undefined) return;
    this.#record = { ...mark, fingerprint: spec.fingerprint, label: spec.label };
    this.#isKept = false;
    journal.record({ kind: 'service started', message: `${name}: process ${mark.pid}`, object: name });
    this.#keepRecord();
  }

  /** Writes the record; if that fails, the next check tries again. @throws an error of the file system, such as a full disk */
  #keepRecord(): void {
    if (this.#isKept) return;
    writeFileSync(this.#recordFile, JSON.stringify(this.#record));
    this.#isKept = true;
  }

  async #end(): Promise<void> {
    const record = this.#record;
    if (record === undefined) return;
    signalProcess(record, 'SIGTERM');
    if (!(await this.#isGone(record))) {
      signalProcess(record, 'SIGKILL');
      await this.#isGone(record);
    }
    this.#record = undefined;
    rmSync(this.#recordFile, { force: true });
  }

  async #isGone(record: ProcessMark): Promise<boolean> {
    const { clock } = this.#input;
    for (const deadline = clock.nowMs() + END_DEADLINE_MS; isRunning(record); ) {
      if (clock.nowMs() > deadline) return false;
      await new Promise<void>((resolve) => void clock.after(10, resolve));
    }
    return true;
  }

  /** A child's exit arrives as an event: a child is checked only for its log, and to reset the failure count. */
  #checkLater(): void {
    this.#checkSoon(this.#isChild ? LOG_LOOK_MS : CHECK_MS);
  }

  #checkSoon(delayMs: number): void {
    if (this.#released) return;
    this.#check?.cancel();
    this.#check = this.#input.clock.after(delayMs, () => void this.#enqueue(() => this.#checkNow()));
  }

  async #checkNow(): Promise<void> {
    if (this.#spec === undefined) return;
    // An earlier process could not be ended before.
    if (this.#record !== undefined && this.#record.fingerprint !== this.#spec.fingerprint) await this.#end();
    const { clock } = this.#input;
    if (this.#record !== undefined && isRunning(this.#record)) {
      this.#keepRecord();
      rotateLog(this.logFile, LOG_MAX_BYTES);
      if (clock.nowMs() - this.#startedMs >= WELL_MS) {
        this.#failures = 0;
        this.#error = undefined;
      }
      this.#checkLater();
      return;
    }
    if (this.#record !== undefined) {
      this.#record = undefined;
      this.#failed(this.#ending ?? 'ended');
      return;
    }
    this.#start();
    this.#checkLater();
  }

  /** The system refused a call (kill, open, write). A process that runs is left running, and the call is tried again later. */
  #refused({ message, remedy }: MeshError): void {
    this.#report('service refused', `${this.#input.name}: ${message}`, remedy);
    if (this.#spec !== undefined) this.#retryLater();
  }

  #failed(what: string): void {
    const lastLine = lastLineOf(this.logFile);
    const message = `${this.#input.name} ${what}${lastLine && `; it last said: ${lastLine}`}`;
    this.#report('service ended', message, this.#spec?.remedyFor?.(lastLine));
    this.#retryLater();
  }

  #report(kind: string, message: string, remedy = `See ${this.logFile}.`): void {
    const { name, journal } = this.#input;
    this.#error = new MeshError('MESH_PROCESS_FAILED', message, {
      object: name,
      remedy: `${remedy} It is started again automatically.`,
      retryable: true,
    });
    journal.record({ level: 'error', kind, message, object: name, code: this.#error.code, remedy });
  }

  /** Tries again after a pause that doubles each time. */
  #retryLater(): void {
    this.#checkSoon(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++));
  }
}

function lastLineOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').at(-1)?.slice(0, 200) ?? '';
  } catch {
    return '';
  }
}
