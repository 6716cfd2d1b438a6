/**
 * Keeps one process running that outlives this one: while it is wanted, it is started again when it ends. A restarted host0
 * adopts the process as it is (launched-process.ts).
 */
import type { Alarm } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { LaunchedProcess } from './launched-process.ts';
import type { ProcessPlace } from './process-place.ts';
import { isOfSpec, type ProcessSpec, specDigest } from './process-spec.ts';
import { RestartPause } from './restart-pause.ts';

/** How the process shall run. */
export interface ServiceSpec {
  readonly process: ProcessSpec;
  /** Writes the files that the process reads, and refuses a start by an error; called before each start. */
  readonly prepare: () => void;
}

/** The supervisor of one process. Its calls are carried out one after the other. */
export class Service {
  readonly #place: ProcessPlace;
  readonly #process: LaunchedProcess;
  /** How the process shall run; undefined while it is not wanted. */
  #wanted: ServiceSpec | undefined;
  /** The pauses after starts that were refused before the process began. */
  readonly #pause = new RestartPause();
  #refusal: MeshError | undefined;
  #retry: Alarm | undefined;
  #queue: Promise<void> = Promise.resolve();
  #released = false;

  constructor(place: ProcessPlace) {
    this.#place = place;
    this.#process = new LaunchedProcess(place);
    this.#process.changes.subscribe(() => void this.#enqueue(() => this.#settle()));
  }

  /** The process that runs, started or adopted. */
  get running(): { readonly pid: number; readonly label: string } | undefined {
    const { pid, label } = this.#process.running ?? {};
    return pid === undefined || label === undefined ? undefined : { pid, label };
  }

  /** Why the process does not keep running (MESH_PROCESS_FAILED); undefined when it has run for ten seconds. */
  get error(): MeshError | undefined {
    return this.#refusal ?? this.#process.error;
  }

  /** Keeps the process running like this from now on. Resolves when it was started or adopted. Never rejects. */
  run(spec: ServiceSpec): Promise<void> {
    return this.#enqueue(async () => {
      // The same spec again: the process runs, or waits for its next start.
      if (this.#wanted !== undefined && specDigest(this.#wanted.process) === specDigest(spec.process)) return;
      this.#wanted = spec;
      this.#pause.reset();
      await this.#settle();
    });
  }

  /** Lets the process read its files again, by SIGHUP. Does nothing while none runs: a process that starts reads them anyway. */
  reload(): void {
    this.#process.signal('SIGHUP');
  }

  /** Ends the process. Resolves when it is gone. Never rejects. */
  stop(): Promise<void> {
    return this.#enqueue(async () => {
      this.#wanted = undefined;
      this.#refusal = undefined;
      this.#process.forget();
      await this.#settle();
    });
  }

  /** Leaves the process running and stops supervising it. */
  async release(): Promise<void> {
    this.#released = true;
    this.#retry?.cancel();
    await Promise.all([this.#queue, this.#process.release()]);
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const call = this.#queue.then(() => (this.#released ? undefined : work()));
    this.#queue = call.catch((thrown: unknown) => this.#refused(MeshError.from(thrown)));
    return this.#queue;
  }

  /** Brings the process in line with what is wanted. */
  async #settle(): Promise<void> {
    this.#retry?.cancel();
    const spec = this.#wanted;
    const running = this.#process.running;
    if (spec !== undefined && running !== undefined && isOfSpec(running.digest, spec.process)) {
      this.#refusal = undefined;
      return this.#process.adopt(spec.process);
    }
    if (running !== undefined) await this.#process.end();
    if (spec === undefined) return;
    const waitMs = Math.max(this.#process.waitMs, this.#pause.waitMs(this.#place.clock.nowMs()));
    if (waitMs > 0) return this.#retryIn(waitMs);
    spec.prepare();
    this.#refusal = undefined;
    // What the system refuses is the error of the process, and its pause is over later.
    await this.#process.start(spec.process).catch(() => this.#retryIn(this.#process.waitMs));
  }

  /** Something refused a start: another program, or the system. A process that runs is left running. */
  #refused({ message, remedy }: MeshError): void {
    const { name, clock, journal } = this.#place;
    const said = `${name}: ${message}`;
    const todo = remedy ?? 'See `mesh events`.';
    this.#refusal = new MeshError('MESH_PROCESS_FAILED', said, {
      object: name,
      remedy: `${todo} It is started again automatically.`,
      retryable: true,
    });
    journal.record({
      level: 'error',
      kind: 'service refused',
      message: said,
      object: name,
      code: this.#refusal.code,
      remedy: todo,
    });
    this.#pause.failed(clock.nowMs(), 0);
    if (this.#wanted !== undefined || this.#process.running !== undefined)
      this.#retryIn(this.#pause.waitMs(clock.nowMs()));
  }

  #retryIn(delayMs: number): void {
    if (this.#released) return;
    this.#retry?.cancel();
    this.#retry = this.#place.clock.after(delayMs, () => void this.#enqueue(() => this.#settle()));
  }
}
