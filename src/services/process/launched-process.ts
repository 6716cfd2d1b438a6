/**
 * One process that outlives this one: its start, its record on disk, its adoption by the next process of ours, its readiness and
 * its end. It has its own session, its own cgroup where there is one, and its output in a file of a bounded size. Whether it
 * shall run is decided elsewhere: by a step of the agent's plan (launcher.ts), or by a `Service`.
 */
import { mkdirSync, rmSync, statSync } from 'node:fs';
import type { Alarm } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { endProcess, killLost, stopOf, sweepAfter } from './process-end.ts';
import { groupOf, isIn, joinGroup, killedForMemory, makeGroup } from './process-group.ts';
import { isRunning, signalProcess } from './process-mark.ts';
import { lastLineOf, lookAtOutput, SHORTEST_LOOK_MS } from './process-output.ts';
import type { ProcessEnd, ProcessPlace, RunningProcess } from './process-place.ts';
import { type ProcessRecord, readProcessRecord, writeProcessRecord } from './process-record.ts';
import { checkSpec, OUTPUT_MAX_BYTES, type ProcessSpec, specDigest } from './process-spec.ts';
import { newRecord, outputFileOf, recordFileOf, startBySpec } from './process-start.ts';
import { isReady, READY_WITHIN_SEC } from './readiness.ts';
import { RestartPause, WELL_MS } from './restart-pause.ts';

/** An adopted process is checked this often: only the exit of a child is reported to its parent. */
const CHECK_MS = 500;
/** The signs of readiness are looked for this often. */
const READY_LOOK_MS = 50;

/** One process by its name. Its calls are carried out one after the other. */
export class LaunchedProcess {
  readonly #place: ProcessPlace;
  readonly #changes = new Signal<void>();
  /** Emits when the process has ended by itself, has become ready, or what is not well with it has changed. */
  readonly changes: Subscribable<void> = this.#changes;
  readonly #pause = new RestartPause();
  /** How the process was started. Unknown after an adoption, until `adopt`. */
  #spec: ProcessSpec | undefined;
  #record: ProcessRecord | undefined;
  /** The record on the disk is that of the process. */
  #isKept = true;
  /** The process is a child of this one, and not adopted. */
  #isChild = false;
  /** The process is being ended: its end is no failure. */
  #isEnding = false;
  /** How the last child ended. */
  #exit: Pick<ProcessEnd, 'status' | 'signal'> = {};
  #ended: ProcessEnd | undefined;
  #startedMs: number;
  #outputFromByte = 0;
  #lookMs = SHORTEST_LOOK_MS;
  #error: MeshError | undefined;
  /** Its network namespace is another one than the spec names. */
  #astray = false;
  /** What the process shall read again as soon as it is ready: before, the signal would end many a program. */
  #ordered: ProcessSpec['rereads'];
  #check: Alarm | undefined;
  #readyCheck: Alarm | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #released = false;

  constructor(place: ProcessPlace) {
    this.#place = place;
    this.#startedMs = place.clock.nowMs();
    const { record, fault } = readProcessRecord(this.#recordFile);
    if (fault !== undefined) this.#tell('record not used', `the record ${this.#recordFile} ${fault}`, 'warning');
    if (record !== undefined && isRunning(record)) this.#record = record;
    else if (record !== undefined) {
      const outOfMemory = killedForMemory(groupOf(this.#recordFile, record.group));
      const { pid, startTime, fingerprint: digest } = record;
      this.#ended = { pid, startTime, digest, ranMs: 0, lastLine: '', outOfMemory };
      sweepAfter(record, this.#recordFile, 'earlier');
    }
    this.#checkLater();
  }

  get name(): string {
    return this.#place.name;
  }

  /** The process that runs, started or adopted. */
  get running(): RunningProcess | undefined {
    const record = this.#record;
    if (record === undefined) return undefined;
    const { pid, startTime, label, fingerprint: digest, ready = true } = record;
    const reread = this.#ordered?.digest ?? record.reread;
    return { pid, startTime, label, digest, ready, astray: this.#astray, ...(reread !== undefined && { reread }) };
  }

  /** Why the process does not keep running, or does not do its work (MESH_PROCESS_FAILED); it holds until it has run for ten seconds. */
  get error(): MeshError | undefined {
    return this.#error;
  }

  /** How the process has ended by itself; undefined while it runs, and after it was ended. */
  get ended(): ProcessEnd | undefined {
    return this.#ended;
  }

  /** How long the next start must wait, since the process has ended again and again. */
  get waitMs(): number {
    return this.#pause.waitMs(this.#place.clock.nowMs());
  }

  /** Why a start would be refused now: the process has ended again and again with this spec, and must wait, or runs once. */
  refusalOf(spec: ProcessSpec): MeshError | undefined {
    if (spec.once === true && this.#ended?.digest === specDigest(spec))
      return new MeshError('MESH_PROCESS_FAILED', `${this.name} has ended`, { object: this.name });
    if (this.waitMs === 0 || (this.#spec !== undefined && specDigest(this.#spec) !== specDigest(spec)))
      return undefined;
    return (
      this.#error ?? new MeshError('MESH_PROCESS_FAILED', `${this.name} ends again and again`, { object: this.name })
    );
  }

  /** The file with the output of the process. */
  get outputFile(): string {
    return outputFileOf(this.#place.directory, this.#spec ?? this.#place);
  }

  /**
   * Starts the process. Another one of this name must have ended.
   * @throws MESH_PROCESS_FAILED while it must wait, since it has ended again and again, and where it cannot be started; an error
   * of the file system
   */
  start(spec: ProcessSpec): Promise<void> {
    return this.#enqueue(async () => {
      checkSpec(spec);
      if (this.#record !== undefined) throw new RangeError(`${this.name} runs already`);
      if (this.#spec !== undefined && specDigest(this.#spec) !== specDigest(spec)) this.forget();
      const refusal = this.refusalOf(spec);
      if (refusal !== undefined) throw refusal;
      this.#spec = spec;
      try {
        await this.#launch(spec);
      } catch (thrown) {
        this.#pause.failed(this.#place.clock.nowMs(), 0);
        this.#refused(MeshError.from(thrown));
        throw this.#error ?? thrown;
      }
    });
  }

  /** Goes on with the process that runs, as one of this spec: its digest must be the same. */
  adopt(spec: ProcessSpec): void {
    if (this.#spec === spec) return;
    if (this.#spec === undefined) this.#tell('service adopted', `${this.name}: process ${this.#record?.pid}`);
    this.#spec = spec;
    this.#lookAtNetns();
    this.#awaitReadiness();
  }

  /** Sends a signal to the process. Does nothing while none runs. */
  signal(signal: NodeJS.Signals): void {
    if (this.#record !== undefined && !this.#released) signalProcess(this.#record, signal);
  }

  /** Tells the process to read again what `spec.rereads` says. */
  reread(spec: ProcessSpec): Promise<void> {
    return this.#enqueue(async () => {
      this.#spec = spec;
      this.#ordered = spec.rereads;
      this.#carryOutOrder();
    });
  }

  #carryOutOrder(): void {
    if (this.#record === undefined || this.#record.ready === false || this.#ordered === undefined) return;
    const { signal, digest } = this.#ordered;
    signalProcess(this.#record, signal);
    this.#ordered = undefined;
    this.#note({ ...this.#record, reread: digest });
    this.#tryToKeepRecord();
  }

  /**
   * Ends the process and all that it has started. Resolves when they are gone.
   * @throws MESH_PROCESS_NOT_ENDED; its record stays then
   */
  end(): Promise<void> {
    return this.#enqueue(async () => {
      const record = this.#record;
      this.#error = undefined;
      this.#check?.cancel();
      this.#readyCheck?.cancel();
      if (record === undefined) return;
      this.#isEnding = true;
      try {
        await endProcess({
          ...this.#place,
          recordFile: this.#recordFile,
          record: { ...record, ...stopOf(this.#spec) },
        });
      } finally {
        this.#isEnding = false;
        // It may end later.
        this.#checkLater();
      }
      this.#check?.cancel();
      this.#record = undefined;
      rmSync(this.#recordFile, { force: true });
    });
  }

  /** The process is not wanted any more: what it did wrong does not count for the next start. */
  forget(): void {
    this.#error = undefined;
    this.#pause.reset();
  }

  /** Leaves the process running and looks after it no more. */
  async release(): Promise<void> {
    this.#released = true;
    this.#check?.cancel();
    this.#readyCheck?.cancel();
    await this.#queue;
  }

  get #outputMaxBytes(): number {
    return this.#spec?.outputMaxBytes ?? OUTPUT_MAX_BYTES;
  }

  get #recordFile(): string {
    return recordFileOf(this.#place.directory, this.name);
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T | undefined> {
    const call = this.#queue.then(() => (this.#released ? undefined : work()));
    this.#queue = call.catch(() => {});
    return call;
  }

  async #launch(spec: ProcessSpec): Promise<void> {
    const { directory, clock, inNetns, openTap, startChild } = this.#place;
    mkdirSync(directory, { recursive: true });
    lookAtOutput(this.outputFile, this.#outputMaxBytes, SHORTEST_LOOK_MS);
    // What an earlier process of this name has left behind, whose record was lost.
    const group = makeGroup(this.#recordFile);
    await killLost(group, clock);
    this.#outputFromByte = statSync(this.outputFile, { throwIfNoEntry: false })?.size ?? 0;
    this.#startedMs = clock.nowMs();
    this.#exit = {};
    this.#ended = undefined;
    this.#ordered = undefined;
    const { promise: refused, resolve: refuse } = Promise.withResolvers<Error>();
    const mark = startBySpec(spec, {
      outputFile: this.outputFile,
      inNetns,
      openTap,
      start: startChild,
      onError: refuse,
      onExit: (status, signal) => {
        this.#exit = { ...(status !== null && { status }), ...(signal !== null && { signal }) };
        void this.#enqueue(() => this.#checkNow());
      },
    });
    if (mark === undefined) throw new Error(`cannot be started: ${(await refused).message}`);
    this.#isChild = true;
    this.#lookMs = SHORTEST_LOOK_MS;
    this.#astray = false;
    this.#note(newRecord(spec, mark, group));
    // At once: nobody would know a process without a record if this one was killed now.
    this.#tryToKeepRecord();
    if (group !== undefined) await joinGroup(group, mark);
    this.#tell('service started', `${this.name}: process ${mark.pid}`);
    this.#checkLater();
    this.#awaitReadiness();
  }

  #note(record: ProcessRecord): void {
    this.#record = record;
    this.#isKept = false;
  }

  /** Writes the record; if that fails, the next check tries again. @throws an error of the file system, such as a full disk */
  #keepRecord(): void {
    if (this.#isKept || this.#record === undefined) return;
    writeProcessRecord(this.#recordFile, this.#record);
    this.#isKept = true;
  }

  #tryToKeepRecord(): void {
    try {
      this.#keepRecord();
    } catch (thrown) {
      this.#refused(MeshError.from(thrown));
    }
  }

  /** A child's exit arrives as an event: a child is checked only for its output, its record and its error. */
  #checkLater(): void {
    this.#check?.cancel();
    if (this.#released || this.#record === undefined) return;
    const delayMs = this.#isChild ? this.#lookMs : Math.min(CHECK_MS, this.#lookMs);
    this.#check = this.#place.clock.after(delayMs, () => void this.#enqueue(() => this.#checkNow()));
  }

  async #checkNow(): Promise<void> {
    const record = this.#record;
    if (record === undefined || this.#isEnding) return;
    if (!isRunning(record)) {
      // How a child has ended is told a moment later: without that, nobody knows whether it was killed.
      if (this.#isChild && this.#exit.status === undefined && this.#exit.signal === undefined)
        return this.#checkLater();
      this.#readyCheck?.cancel();
      const outOfMemory = killedForMemory(groupOf(this.#recordFile, record.group));
      sweepAfter(record, this.#recordFile, 'now');
      this.#record = undefined;
      const ranMs = this.#place.clock.nowMs() - this.#startedMs;
      const lastLine = lastLineOf(this.outputFile);
      const { pid, startTime, fingerprint: digest } = record;
      this.#failed({ ...this.#exit, pid, startTime, digest, ranMs, lastLine, outOfMemory });
      return;
    }
    this.#tryToKeepRecord();
    this.#lookAtNetns();
    this.#lookMs = lookAtOutput(this.outputFile, this.#outputMaxBytes, this.#lookMs);
    if (this.#isKept && record.ready !== false && this.#place.clock.nowMs() - this.#startedMs >= WELL_MS) this.#well();
    this.#checkLater();
  }

  #awaitReadiness(): void {
    const { clock } = this.#place;
    const readiness = this.#spec?.readiness;
    const record = this.#record;
    if (readiness === undefined || record === undefined || record.ready !== false) return;
    const { withinSec = READY_WITHIN_SEC } = readiness;
    const dueMs = this.#startedMs + withinSec * 1000;
    const look = async () => {
      const ready = await isReady(readiness, { file: this.outputFile, fromByte: this.#outputFromByte });
      if (this.#released || this.#record?.pid !== record.pid) return;
      if (ready) return this.#becameReady();
      if (clock.nowMs() > dueMs && this.#error === undefined) {
        this.#report('service not ready', `${this.name} runs, but is not ready after ${withinSec} s`);
      }
      this.#readyCheck = clock.after(READY_LOOK_MS, () => void look());
    };
    this.#readyCheck?.cancel();
    this.#readyCheck = clock.after(0, () => void look());
  }

  #becameReady(): void {
    if (this.#record === undefined) return;
    this.#note({ ...this.#record, ready: true });
    this.#carryOutOrder();
    void this.#enqueue(() => this.#checkNow());
    this.#changes.emit();
  }

  #lookAtNetns(): void {
    const netns = this.#spec?.netns;
    const before = this.#astray;
    this.#astray = this.#record !== undefined && netns !== undefined && !isIn(this.#record, netns);
    if (this.#astray !== before) this.#changes.emit();
  }

  #well(): void {
    const had = this.#error !== undefined;
    this.#error = undefined;
    if (had) this.#changes.emit();
  }

  #failed(end: ProcessEnd): void {
    this.#ended = end;
    const { lastLine } = end;
    const what = `${this.name} ${exitWords(end)}${lastLine && `; it last said: ${lastLine}`}`;
    if (this.#spec?.once === true) {
      this.#tell('service ended', what);
      this.#changes.emit();
      return;
    }
    this.#pause.failed(this.#place.clock.nowMs(), end.ranMs);
    const remedy = this.#spec?.remedies?.find(({ says }) => lastLine.includes(says))?.remedy;
    this.#reportEnd('service ended', what, remedy);
  }

  /** The system refused a call (open, write). The process is left as it is, and the call is tried again. */
  #refused({ message, remedy }: MeshError): void {
    if (this.#error?.message !== `${this.name}: ${message}`)
      this.#reportEnd('service refused', `${this.name}: ${message}`, remedy);
  }

  #reportEnd(kind: string, message: string, remedy = `See ${this.outputFile}.`): void {
    this.#report(kind, message, remedy, `${remedy} It is started again automatically.`);
  }

  #report(kind: string, message: string, remedy = `See ${this.outputFile}.`, finding = remedy): void {
    const { journal } = this.#place;
    const object = this.name;
    this.#error = new MeshError('MESH_PROCESS_FAILED', message, { object, remedy: finding, retryable: true });
    journal.record({ level: 'error', kind, message, object: this.name, code: this.#error.code, remedy });
    this.#changes.emit();
  }

  #tell(kind: string, message: string, level: 'info' | 'warning' = 'info'): void {
    this.#place.journal.record({ level, kind, message, object: this.name });
  }
}

function exitWords({ status, signal }: ProcessEnd): string {
  if (signal !== undefined) return `was ended by ${signal}`;
  return status === undefined ? 'ended' : `ended with ${status}`;
}
