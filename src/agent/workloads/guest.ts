/**
 * One workload on its node: what is wanted, what its emulator does, and what follows. It makes ready what the emulator needs, has
 * the emulator started by the agent's loop (as an item), listens to its monitor, and judges its end. It starts nothing itself.
 */
import type { Alarm } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { AssignedWorkload, WorkloadRun } from '../../protocol/documents/workload/assigned-workload.ts';
import type { Launcher } from '../../services/process/launcher.ts';
import { isRunning, type ProcessMark } from '../../services/process/process-mark.ts';
import { bootId } from '../../services/process/process-record.ts';
import { specDigest } from '../../services/process/process-spec.ts';
import { RestartPause } from '../../services/process/restart-pause.ts';
import { proveEmulator } from '../../services/qemu/adoption.ts';
import type { NodeService } from '../desired/parts/service.ts';
import { processNameOf, type ReadyParts, startRecord } from './emulator.ts';
import { endingEvent, endingOf, isStartedAgain } from './ending.ts';
import { diskFull, startError } from './guest-errors.ts';
import type { GuestInput } from './guest-input.ts';
import { GuestMonitor } from './guest-monitor.ts';
import { errorOf, type GuestNow, promisedTo, runOf, TAKEN_UP, WAITS_FOR_END } from './guest-view.ts';
import type { PromisedMemory } from './memory-room.ts';
import { PowerOff } from './power-off.ts';
import type { RunRecord } from './run-record.ts';
import { hasSockets } from './vm-place.ts';

/** A monitor that does not answer is asked again. */
const MONITOR_RETRY_MS = 100;
/** What was missing may be there by then: a port, memory, an image. */
const READY_RETRY_MS = 2_000;
const ROOM_LOOK_MS = 5_000;
/** The emulator speaks after some 60 ms, on an idle machine. */
const UP_WITHIN_MS = 30_000;

/** One workload. Its settling is carried out one step after the other. */
export class Guest {
  readonly #input: GuestInput;
  #assigned: AssignedWorkload;
  #record: RunRecord | undefined;
  #service: NodeService | undefined;
  #monitor: GuestMonitor | undefined;
  readonly #pause = new RestartPause();
  #now: GuestNow = TAKEN_UP;
  #sinceMs: number;
  #upSinceMs: number;
  #wasUp = false;
  /** The emulator that is not wanted any more, from then on. */
  #before: ProcessMark | undefined;
  /** While the guest has time to switch itself off. */
  #powerOff: PowerOff | undefined;
  #making: AbortController | undefined;
  #retry: Alarm | undefined;
  #isReleased = false;
  #queue: Promise<void> = Promise.resolve();

  constructor(input: GuestInput, assigned: AssignedWorkload, record: RunRecord | undefined) {
    this.#input = input;
    this.#assigned = assigned;
    this.#record = record;
    this.#sinceMs = input.clock.nowMs();
    this.#upSinceMs = this.#sinceMs;
    // What ran in an earlier boot of the machine runs no more: it is started as if it was new.
    if (record?.state === 'started' && record.boot === bootId()) this.#wantProcess(record);
    this.look();
  }

  get assigned(): AssignedWorkload {
    return this.#assigned;
  }

  /** What the disk has of the workload. */
  get record(): RunRecord | undefined {
    return this.#record;
  }

  /** The emulator as a service of the node, while it is wanted. */
  get service(): NodeService | undefined {
    return this.#service;
  }

  /** The memory that the guest may come to take, while it runs or is about to. */
  get promised(): PromisedMemory | undefined {
    if (this.#service === undefined || this.#record === undefined) return undefined;
    return promisedTo(this.#record, this.#pid);
  }

  /** The emulator that is being ended, while it still has its memory and its files. */
  get leaving(): ProcessMark | undefined {
    return this.#before !== undefined && isRunning(this.#before) ? this.#before : undefined;
  }

  get run(): WorkloadRun {
    const ageSec = Math.floor((this.#input.clock.nowMs() - this.#sinceMs) / 1000);
    // An emulator that is being ended is told of the generation that it makes way for.
    const isOfRecord = this.#service !== undefined && this.#now.state !== 'stopping';
    const generation = isOfRecord ? this.#record?.generation : undefined;
    return runOf(this.#assigned, this.#record, { ...this.#now, ageSec, pid: this.#pid, generation });
  }

  /** It waits for something of its node, such as a port. While the parts of its emulator are made, it does not wait. */
  get waits(): boolean {
    return this.#now.state === 'preparing' && this.#making === undefined;
  }

  /** host0 wants the workload like this now. */
  want(assigned: AssignedWorkload): void {
    const isOther = assigned.generation !== this.#assigned.generation;
    this.#assigned = assigned;
    this.#making?.abort();
    // How the generation of before has ended says nothing of this one.
    if (isOther && this.#service === undefined && assigned.wanted !== 'stopped') this.#become(TAKEN_UP);
    this.look();
  }

  /** The node shall not have the workload any more. Resolves when its emulator is not wanted any more. */
  async remove(): Promise<void> {
    await this.release();
    this.#dropProcess();
  }

  /** Leaves the emulator running. */
  async release(): Promise<void> {
    this.#isReleased = true;
    this.#making?.abort();
    this.#retry?.cancel();
    await this.#queue;
    this.#monitor?.close();
  }

  /** Looks at the emulator, and does what follows. */
  look(): void {
    this.#queue = this.#queue.then(async () => {
      if (this.#isReleased) return;
      try {
        await this.#settle();
      } catch (thrown) {
        const error = MeshError.from(thrown);
        this.#become({ state: 'failed', why: error.message, error });
        this.#lookIn(READY_RETRY_MS);
      }
    });
  }

  get #pid(): number | undefined {
    return this.#service === undefined ? undefined : this.#running?.pid;
  }

  get #running() {
    const running = this.#input.launcher.running(processNameOf(this.#assigned.id));
    const record = this.#record;
    return record !== undefined && running?.digest === specDigest(record.spec) ? running : undefined;
  }

  async #settle(): Promise<void> {
    this.#retry?.cancel();
    if (this.#service !== undefined) {
      const end = this.#input.launcher.endOf(processNameOf(this.#assigned.id));
      if (end !== undefined && this.#record !== undefined && end.digest === specDigest(this.#record.spec))
        return await this.#ended(end);
      if (this.#isUnwanted) return await this.#switchOff();
      return await this.#follow();
    }
    if (this.#assigned.wanted === 'stopped') return await this.#stay();
    if (!this.#isDue) return;
    // Two guests of one disk, or of one address, do more harm than one that comes late.
    if (this.#record?.boot !== bootId() && !this.#input.isConfirmed())
      return this.#become({ state: 'preparing', why: 'host0 has to say that the workload is still on this node' });
    if (this.leaving !== undefined) {
      this.#become(WAITS_FOR_END);
      return this.#lookIn(MONITOR_RETRY_MS);
    }
    if (this.#record?.generation === this.#assigned.generation) {
      // A look that comes earlier, such as that at another emulator's end, does not shorten the pause.
      const waitMs = this.#pause.waitMs(this.#input.clock.nowMs());
      if (waitMs > 0) return this.#lookIn(waitMs);
    }
    await this.#start();
  }

  /** What runs is not what is wanted: nothing, or a later generation. */
  get #isUnwanted(): boolean {
    return this.#assigned.wanted === 'stopped' || this.#record?.generation !== this.#assigned.generation;
  }

  /** A later generation is to run after this one. */
  get #isFollowed(): boolean {
    return this.#assigned.wanted !== 'stopped' && this.#isUnwanted;
  }

  /** Whether the workload is to be started now. After an end of itself, its policy says so. */
  get #isDue(): boolean {
    const record = this.#record;
    if (record === undefined || record.generation !== this.#assigned.generation) return true;
    const { state } = record;
    if (state === 'stopped' || state === 'started') return true;
    if (this.#now.state !== state) {
      this.#become({ state, ...(record.why !== undefined && { why: record.why }), ...errorOf(record) });
    }
    return false;
  }

  async #stay(): Promise<void> {
    if (this.#record !== undefined && this.#record.state !== 'stopped')
      await this.#note({ ...this.#record, state: 'stopped' });
    if (this.#now.state !== 'stopped') this.#become({ state: 'stopped' });
  }

  async #start(): Promise<void> {
    const assigned = this.#assigned;
    const { clock, makeReady } = this.#input;
    const before = this.#record;
    const isNew = before === undefined || before.generation !== assigned.generation;
    if (isNew) this.#pause.reset();
    const making = new AbortController();
    this.#making = making;
    let parts: ReadyParts;
    try {
      const tell = (why: string) => this.#become({ state: 'preparing', why });
      parts = await makeReady(assigned, { tell, signal: making.signal });
    } catch (thrown) {
      if (making.signal.aborted) return this.look();
      const error = MeshError.from(thrown);
      if (error.code === 'MESH_PORT_UNKNOWN') this.#become({ state: 'preparing', why: error.message });
      else this.#become({ state: 'failed', why: error.message, error });
      return this.#lookIn(READY_RETRY_MS);
    } finally {
      this.#making = undefined;
    }
    if (making.signal.aborted) return this.look();
    const record = startRecord(assigned, parts, {
      start: (before?.start ?? 0) + 1,
      restarts: isNew ? 0 : before.restarts,
      boot: bootId(),
    });
    // Before the start: an agent that is killed in between knows what may run.
    await this.#keep(record);
    this.#wasUp = false;
    this.#upSinceMs = clock.nowMs();
    this.#wantProcess(record);
    this.#become({ state: 'starting' });
  }

  /** The emulator is wanted: joins its monitor, and has its guest paused or not as wanted. */
  async #follow(): Promise<void> {
    const { launcher } = this.#input;
    const running = this.#running;
    const { id, workload } = this.#assigned;
    if (running === undefined) {
      const refused = launcher.errorOf(processNameOf(id));
      if (refused !== undefined) {
        const error = startError(workload.name, refused);
        this.#become({ state: 'failed', why: error.message, error });
      }
      return;
    }
    if (this.#monitor === undefined || this.#monitor.isClosed) {
      const joined = await this.#join(running);
      if (typeof joined === 'string') return this.#silent(joined);
      await joined.ask();
      this.#wasUp = true;
    }
    if (this.#monitor === undefined) return;
    const { wanted } = this.#assigned;
    // Once for each wish: a person may do otherwise at the second monitor.
    if (wanted !== 'stopped' && this.#monitor.heeded !== wanted) await this.#monitor.heed(wanted);
    await this.#tellState(this.#monitor);
  }

  /** Joins the monitor of the emulator. @returns what speaks against the process otherwise */
  async #join(mark: ProcessMark): Promise<GuestMonitor | string> {
    if (this.#record === undefined) return 'it has no record';
    const { uuid, spec } = this.#record;
    const { listenerOf, clock } = this.#input;
    const adoption = await proveEmulator({ mark, uuid, directory: spec.directory, listenerOf, clock });
    if ('against' in adoption) return adoption.against;
    this.#monitor = new GuestMonitor(adoption.monitor, () => this.look());
    return this.#monitor;
  }

  async #tellState(monitor: GuestMonitor): Promise<void> {
    const { name } = this.#assigned.workload;
    if (monitor.isDiskFull) {
      this.#become({ state: 'disk-full', why: 'the disk of its volumes is full', error: diskFull(name) });
      if (await this.#input.hasRoom(this.#assigned)) await monitor.resume();
      return this.#lookIn(ROOM_LOOK_MS);
    }
    if (monitor.state === 'running') return this.#become({ state: 'running' });
    this.#become({ state: 'paused', ...(monitor.state !== 'paused' && { why: `the emulator says ${monitor.state}` }) });
  }

  /** The monitor does not answer yet, or does not prove that the process is the emulator. */
  #silent(against: string): void {
    const { clock } = this.#input;
    const lateMs = clock.nowMs() - this.#upSinceMs;
    if (lateMs > UP_WITHIN_MS) this.#become({ state: 'starting', why: `the emulator runs, but ${against}` });
    else if (this.#now.state !== 'running') this.#become({ state: 'starting' });
    this.#lookIn(lateMs > UP_WITHIN_MS ? READY_RETRY_MS : MONITOR_RETRY_MS);
  }

  /** Tells the guest to switch itself off; ends the emulator when that takes too long. */
  async #switchOff(): Promise<void> {
    const { clock, graceSec } = this.#input;
    if (this.#powerOff === undefined) {
      this.#powerOff = new PowerOff(clock, graceSec);
      this.#become({ state: 'stopping', why: `the guest has ${graceSec} s to switch itself off` });
    }
    const powerOff = this.#powerOff;
    // The agent may have restarted meanwhile.
    const running = this.#running;
    if (this.#monitor === undefined && running !== undefined) {
      const joined = await this.#join(running);
      if (typeof joined !== 'string') await joined.ask().catch(() => undefined);
    }
    const monitor = this.#monitor;
    const isLate = running === undefined || clock.nowMs() - this.#upSinceMs > UP_WITHIN_MS;
    // A guest that is paused hears nothing. One that has switched itself off is about to end.
    const isHopeless = monitor === undefined ? isLate : !monitor.isOver && monitor.state !== 'running';
    if (isHopeless || powerOff.leftMs === 0) return await this.#off('the emulator was ended');
    this.#lookIn(monitor === undefined ? MONITOR_RETRY_MS : await powerOff.press(monitor));
  }

  async #off(why: string): Promise<void> {
    this.#powerOff = undefined;
    this.#monitor?.close();
    this.#monitor = undefined;
    if (this.#record !== undefined) await this.#note({ ...this.#record, state: 'stopped', why });
    this.#dropProcess();
    this.#become(this.#isFollowed ? TAKEN_UP : { state: 'stopped', why });
    this.look();
  }

  async #ended(end: NonNullable<ReturnType<Launcher['endOf']>>): Promise<void> {
    const record = this.#record;
    if (record === undefined) return;
    if (this.#powerOff !== undefined) return await this.#off('the guest has switched itself off');
    const { clock, journal } = this.#input;
    const { workload } = this.#assigned;
    const said = this.#monitor?.ending;
    const leftSockets = hasSockets(record.spec.directory);
    const outOfMemory = end.outOfMemory || (end.status === undefined && this.#input.wasKilledForMemory(end));
    const process = { ...end, outOfMemory };
    const ending = endingOf({ name: workload.name, process, said, wasUp: this.#wasUp, leftSockets });
    const { state, why, error } = ending;
    journal.record(endingEvent(workload.name, ending));
    this.#monitor?.close();
    this.#monitor = undefined;
    this.#dropProcess();
    const { error: _, ...rest } = record;
    const ended: RunRecord = { ...rest, state, why, ...(error !== undefined && { error: error.toJSON() }) };
    this.#become(this.#isFollowed ? TAKEN_UP : { state, why, ...(error !== undefined && { error }) });
    if (this.#isUnwanted || !isStartedAgain(workload.restart, ending)) {
      await this.#note(ended);
      return this.look();
    }
    this.#pause.failed(clock.nowMs(), end.ranMs);
    // `stopped`: an agent that takes the record up starts the workload again.
    await this.#note({ ...ended, state: 'stopped', restarts: record.restarts + 1 });
    this.#lookIn(this.#pause.waitMs(clock.nowMs()));
  }

  #wantProcess(record: RunRecord): void {
    this.#service = { process: record.spec, files: [], needs: this.#input.needs(this.#assigned) };
    this.#input.onItems();
  }

  #dropProcess(): void {
    this.#before = this.#running ?? this.#before;
    this.#service = undefined;
    this.#input.onItems();
  }

  async #keep(record: RunRecord): Promise<void> {
    this.#record = record;
    await this.#input.records.write(record);
  }

  /** Keeps the record of an end. A disk that is full does not keep the emulator running. */
  async #note(record: RunRecord): Promise<void> {
    await this.#keep(record).catch((thrown: unknown) => {
      const { name } = this.#assigned.workload;
      this.#input.journal.failure('workload record not written', MeshError.from(thrown), {
        level: 'error',
        object: name,
      });
    });
  }

  #become(now: GuestNow): void {
    const before = this.#now;
    if (before.state === now.state && before.why === now.why && before.error?.code === now.error?.code) return;
    if (before.state !== now.state) this.#sinceMs = this.#input.clock.nowMs();
    this.#now = now;
    this.#input.onState();
  }

  #lookIn(delayMs: number): void {
    this.#retry?.cancel();
    if (!this.#isReleased) this.#retry = this.#input.clock.after(delayMs, () => this.look());
  }
}
