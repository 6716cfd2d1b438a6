/**
 * A child process that outlives us: in a session of its own, its output in a file, a record of it on disk, so that the
 * next life of this process takes it over as it is. While somebody wants it, it is started again when it ends.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Journal } from '../../protocol/journal/event.ts';
import { launch } from './launch.ts';
import { isRunning, type ProcessMark, signalProcess } from './process-mark.ts';

export interface ServiceSpec {
  /** The program and its arguments; the program is looked for in PATH. */
  readonly argv: readonly [program: string, ...rest: string[]];
  /** Whatever the process depends on: with another one, a running process is replaced. */
  readonly fingerprint: string;
  /** Writes what the process reads; called before each start. */
  readonly prepare: () => void;
  /** Kept in the record, for whoever adopts it. */
  readonly label: string;
  /** What to do when it ends with these words, where that is known. */
  readonly remedyFor?: (lastWords: string) => string | undefined;
}

export interface ServiceInput {
  /** Names its files. */
  readonly name: string;
  /** Where its record and its output are. */
  readonly directory: string;
  readonly clock: Clock;
  readonly journal: Journal;
}

interface ServiceRecord extends ProcessMark {
  readonly fingerprint: string;
  readonly label: string;
}

/** Of the end of a process that is not our child nobody tells. */
const LOOK_MS = 500;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** Who has run so long was well started: its next end is a first one again. */
const WELL_MS = 10_000;
const END_DEADLINE_MS = 3_000;
const LOG_MAX_BYTES = 1024 * 1024;

export class Service {
  readonly #input: ServiceInput;
  #spec: ServiceSpec | undefined;
  #record: ServiceRecord | undefined;
  /** The record is on the disk, where the next life of this process finds it. */
  #isKept = true;
  /** Ours, and not one that an earlier life of this process started. */
  #isChild = false;
  /** How the last child came to its end. */
  #ending: string | undefined;
  #startedMs = 0;
  #failures = 0;
  #error: MeshError | undefined;
  #look: Alarm | undefined;
  #turn: Promise<void> = Promise.resolve();
  #released = false;

  constructor(input: ServiceInput) {
    this.#input = input;
    const record = readRecord(this.#recordFile);
    if (record !== undefined && isRunning(record)) this.#record = record;
  }

  /** The label of the process that runs, also of one that an earlier life started. */
  get running(): { readonly pid: number; readonly label: string } | undefined {
    const { pid, label } = this.#record ?? {};
    return pid === undefined || label === undefined ? undefined : { pid, label };
  }

  /** Why it does not stay. */
  get error(): MeshError | undefined {
    return this.#error;
  }

  get logFile(): string {
    return join(this.#input.directory, `${this.#input.name}.log`);
  }

  /** Wants it to run like this from now on. Resolves when it was started, or found running. */
  run(spec: ServiceSpec): Promise<void> {
    return this.#next(async () => {
      // Asked for again: it runs, or waits for its next start.
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
      this.#lookLater();
    });
  }

  /** Wants it no more, and resolves when it is gone. */
  stop(): Promise<void> {
    return this.#next(async () => {
      this.#spec = undefined;
      this.#error = undefined;
      this.#look?.cancel();
      await this.#end();
    });
  }

  /** Lets it run without us. */
  async release(): Promise<void> {
    this.#released = true;
    this.#look?.cancel();
    await this.#turn;
  }

  get #recordFile(): string {
    return join(this.#input.directory, `${this.#input.name}.process.json`);
  }

  #next(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(() => (this.#released ? undefined : work()));
    this.#turn = turn.catch((thrown: unknown) => this.#refused(MeshError.from(thrown)));
    return this.#turn;
  }

  #start(): void {
    const { name, directory, clock, journal } = this.#input;
    const spec = this.#spec;
    if (spec === undefined) return;
    mkdirSync(directory, { recursive: true });
    spec.prepare();
    turnOver(this.logFile);
    const mark = launch({
      argv: spec.argv,
      logFile: this.logFile,
      onError: (error) => this.#failed(`cannot be started: ${error.message}`),
      onExit: (status, signal) => {
        this.#ending = status === null ? `was ended by ${signal}` : `ended with ${status}`;
        this.#lookSoon(0);
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

  /** @throws an error of the file system, on a full disk for one: it is tried again at the next look */
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

  /** A child's end is told by itself; what is left is to see that it was well started. */
  #lookLater(): void {
    const wellInMs = this.#startedMs + WELL_MS - this.#input.clock.nowMs();
    if (!this.#isChild) this.#lookSoon(LOOK_MS);
    else if (wellInMs > 0) this.#lookSoon(wellInMs);
  }

  #lookSoon(delayMs: number): void {
    if (this.#released) return;
    this.#look?.cancel();
    this.#look = this.#input.clock.after(delayMs, () => void this.#next(() => this.#lookAfter()));
  }

  async #lookAfter(): Promise<void> {
    if (this.#spec === undefined) return;
    // One that could not be ended before.
    if (this.#record !== undefined && this.#record.fingerprint !== this.#spec.fingerprint) await this.#end();
    const { clock } = this.#input;
    if (this.#record !== undefined && isRunning(this.#record)) {
      this.#keepRecord();
      if (clock.nowMs() - this.#startedMs >= WELL_MS) {
        this.#failures = 0;
        this.#error = undefined;
      }
      this.#lookLater();
      return;
    }
    if (this.#record !== undefined) {
      this.#record = undefined;
      this.#failed(this.#ending ?? 'ended');
      return;
    }
    this.#start();
    this.#lookLater();
  }

  /** The system does not let us: no signal, no file, no port. What runs, runs on. */
  #refused({ message, remedy }: MeshError): void {
    this.#tell('service refused', `${this.#input.name}: ${message}`, remedy);
    if (this.#spec !== undefined) this.#tryLater();
  }

  #failed(what: string): void {
    const lastLine = lastLineOf(this.logFile);
    const message = `${this.#input.name} ${what}${lastLine && `; it last said: ${lastLine}`}`;
    this.#tell('service ended', message, this.#spec?.remedyFor?.(lastLine));
    this.#tryLater();
  }

  #tell(kind: string, message: string, remedy = `See ${this.logFile}.`): void {
    const { name, journal } = this.#input;
    this.#error = new MeshError('MESH_PROCESS_FAILED', message, {
      object: name,
      remedy: `${remedy} It is started again by itself.`,
      retryable: true,
    });
    journal.record({ level: 'error', kind, message, object: name, code: this.#error.code, remedy });
  }

  /** Each time later. */
  #tryLater(): void {
    this.#lookSoon(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++));
  }
}

function readRecord(file: string): ServiceRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as Partial<ServiceRecord>;
    const { pid, startTime, fingerprint, label } = record;
    if (typeof pid !== 'number' || typeof startTime !== 'string') return undefined;
    return { pid, startTime, fingerprint: String(fingerprint), label: String(label) };
  } catch {
    // None, or one that a power cut took: after that, no process of ours runs either.
    return undefined;
  }
}

/** One old log is kept. */
function turnOver(file: string): void {
  try {
    if (statSync(file).size > LOG_MAX_BYTES) renameSync(file, `${file}.1`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function lastLineOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').at(-1)?.slice(0, 200) ?? '';
  } catch {
    return '';
  }
}
