/** The workloads of a node: follows what host0 has given, and tells how each of them runs. */
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { AssignedPort } from '../../protocol/documents/node-assignment.ts';
import type {
  AssignedWorkload,
  NodeCapacity,
  WorkloadRun,
} from '../../protocol/documents/workload/assigned-workload.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { rotateLog } from '../../protocol/journal/log-rotation.ts';
import type { Launcher } from '../../services/process/launcher.ts';
import type { ProcessMark } from '../../services/process/process-mark.ts';
import { findProgram } from '../../services/process/program-path.ts';
import { QEMU } from '../../services/qemu/qemu-spec.ts';
import type { AssignedRuns, PortState } from '../assignment/assigned-agent.ts';
import type { NodeAssignments } from '../assignment/node-assignments.ts';
import type { NodeService } from '../desired/parts/service.ts';
import { type RoomView, roomAt } from '../images/image-limit.ts';
import type { Volumes } from '../images/volumes.ts';
import type { Arrivals } from '../moves/arrivals.ts';
import { disksMadeFor, processNameOf } from './emulator.ts';
import { Guest } from './guest.ts';
import type { GuestMeans } from './guest-means.ts';
import { memoryNow, needOf } from './memory-room.ts';
import { type EmulatorProbe, NodeAccelerator } from './node-accelerator.ts';
import { NodeParts } from './node-parts.ts';
import { type RunRecord, RunRecords } from './run-record.ts';
import { removeVm, type VmDirectories, type VmUser, vmConsoleLog } from './vm-place.ts';

/** The part of the agent that workloads use. */
export interface WorkloadAgent {
  readonly portState: (port: AssignedPort) => PortState;
  readonly mtuOf: (link: string) => number | undefined;
  /** Has the loop look at the wanted services. */
  readonly takeUp: () => void;
}

/** What the workloads of a node need. */
export interface NodeWorkloadsInput {
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'record' | 'failure'>;
  readonly launcher: Launcher;
  readonly assignments: Pick<
    NodeAssignments,
    'workloads' | 'given' | 'changes' | 'changed' | 'isComplete' | 'isFromHost0'
  >;
  readonly directories: VmDirectories;
  /** A directory that a reboot empties. */
  readonly run: string;
  /** For the records of the workloads. */
  readonly state: string;
  readonly volumeDirectory: string;
  readonly volumes: Pick<Volumes, 'ensure' | 'pathOf' | 'remove'>;
  /** Volumes that come from other nodes. */
  readonly arrivals: Pick<Arrivals, 'settle' | 'drop'>;
  readonly user: VmUser;
  readonly listenerOf: (path: string) => number | undefined;
  /** Whether the kernel has killed a process because memory ran out. */
  readonly wasKilledForMemory: (mark: ProcessMark) => boolean;
  /** How long a guest has to switch itself off. */
  readonly graceSec?: number;
}

/** A workload that the node has no more. */
interface Leaving {
  readonly record: RunRecord;
  /** The copy by which the workload had come; undefined where none is known. */
  readonly arrived?: string | undefined;
  /** Whether its emulator still ends: the launcher counts one as absent from the order on. */
  readonly isEnding: () => boolean;
}

/** Debian's own services take some seconds to end. */
const GRACE_SEC = 30;
/** A look at the directories of PATH. */
const EMULATOR_LOOK_MS = 30_000;
/** A guest can write some MB a second to its console. */
const CONSOLE_LOOK_MS = 1_000;
const CONSOLE_MAX_BYTES = 1024 * 1024;

/** Runs the workloads of one node. Call `serve` first, and `start` when the assignment of before is there. */
export class NodeWorkloads implements AssignedRuns, HealthSource {
  readonly #input: NodeWorkloadsInput;
  readonly #records: RunRecords;
  readonly #accelerator: NodeAccelerator;
  readonly #parts: NodeParts;
  readonly #guests = new Map<string, Guest>();
  readonly #changes = new Signal<void>();
  /** Emits when the state of a workload has changed. */
  readonly changes: Subscribable<void> = this.#changes;
  #left: readonly RunRecord[] = [];
  #services: readonly NodeService[] = [];
  #agent: WorkloadAgent | undefined;
  #capacity: Omit<NodeCapacity, 'availableBytes' | 'memoryBytes'> | undefined;
  /** Records of workloads that the node has no more, whose emulators are being ended. */
  readonly #leaving = new Map<string, Leaving>();
  /** Workloads that are being taken from the node: what they write last comes before their files go, and then those go. */
  readonly #taking = new Set<string>();
  #isReleased = false;
  #isRotating = false;

  constructor(input: NodeWorkloadsInput) {
    this.#input = input;
    this.#records = new RunRecords(input.state);
    this.#accelerator = new NodeAccelerator(input.run, input.clock);
    this.#parts = new NodeParts({
      ...input,
      probe: () => this.#probe(),
      given: () => input.assignments.given,
      portState: (port) => this.#agent?.portState(port) ?? { state: 'wanted', why: 'the agent is starting' },
      mtuOf: (link) => this.#agent?.mtuOf(link),
      promised: (except) =>
        [...this.#guests].flatMap(([id, { promised }]) => (id === except || promised === undefined ? [] : [promised])),
    });
  }

  /** Names the agent that workloads are run beside. */
  serve(agent: WorkloadAgent): void {
    this.#agent = agent;
  }

  /** Reads what this node has run, and begins to run workloads. The assignment of before must have been read. Rejects never. */
  async start(): Promise<void> {
    this.#left = await this.#records.readAll();
    this.#input.launcher.changes.subscribe(() => this.look());
    this.#input.assignments.changes.subscribe(() => this.#follow());
    void this.#askMachine();
    this.#follow();
  }

  /** The emulators that are wanted, as services of the node. The same list until it changes. */
  get services(): readonly NodeService[] {
    return this.#services;
  }

  /** Looks at each workload: a process or a port may have changed. */
  look(): void {
    for (const guest of this.#guests.values()) guest.look();
    this.#sweep();
  }

  /** A pass of the loop has ended: a workload may have waited for its port. */
  lookAfterPass(): void {
    for (const guest of this.#guests.values()) if (guest.waits) guest.look();
  }

  runs(): readonly WorkloadRun[] {
    return Array.from(this.#guests.values(), ({ run }) => run);
  }

  capacity(): NodeCapacity | undefined {
    if (this.#capacity === undefined) return undefined;
    const { totalBytes, availableBytes } = memoryNow();
    return { ...this.#capacity, memoryBytes: totalBytes, availableBytes };
  }

  /** A workload that leaves this node, is stopped, and whose emulator has ended. @throws MESH_WORKLOAD_RUNS */
  stopped(id: string): AssignedWorkload {
    const guest = this.#guests.get(id);
    const isStopped = guest?.assigned.wanted === 'stopped' && guest.run.state === 'stopped';
    if (isStopped && guest.assigned.leaving === true && guest.service === undefined && guest.leaving === undefined)
      return guest.assigned;
    throw new MeshError('MESH_WORKLOAD_RUNS', `${guest?.assigned.workload.name ?? id} is not stopped on this node`, {
      object: guest?.assigned.workload.name ?? id,
      rule: 'Volumes are copied while nobody writes to them.',
      retryable: true,
    });
  }

  /** What the node has for its guests; undefined while it has none. Rejects never. */
  async means(): Promise<GuestMeans | undefined> {
    const guests = [...this.#guests.values()];
    if (guests.length === 0) return undefined;
    const openBytes = guests.reduce((sum, { promised }) => sum + (promised === undefined ? 0 : needOf(promised)), 0);
    return { emulator: await this.#accelerator.known(), memory: memoryNow(), openBytes };
  }

  /** The workloads that do not run as they should. */
  health(): readonly Finding[] {
    return [...this.#guests.values()].flatMap(({ run, assigned }) => {
      const { error } = run;
      return error === undefined ? [] : [findingOf(MeshError.fromJSON(error), { object: assigned.workload.name })];
    });
  }

  /** Leaves the emulators running, for the next agent. */
  async release(): Promise<void> {
    this.#isReleased = true;
    await Promise.all(Array.from(this.#guests.values(), (guest) => guest.release()));
  }

  #follow(): void {
    if (this.#isReleased) return;
    const { workloads } = this.#input.assignments;
    const wanted = new Map(workloads.map((assigned) => [assigned.id, assigned]));
    for (const [id, guest] of this.#guests) {
      const assigned = wanted.get(id);
      if (assigned === undefined) void this.#take(id, guest);
      else if (!isDeepStrictEqual(assigned, guest.assigned)) guest.want(assigned);
      else if (guest.waits) guest.look();
    }
    for (const [id, assigned] of wanted) {
      const isHere = this.#guests.has(id) || this.#taking.has(id) || this.#leaving.has(id);
      if (!isHere) this.#guests.set(id, this.#guestOf(assigned));
    }
    this.#rotateLater();
    // Before an assignment has come, nobody knows whether a workload is wanted that the last one does not name.
    if (this.#input.assignments.isComplete) {
      for (const record of this.#left)
        if (!wanted.has(record.id)) this.#leaving.set(record.id, { record, isEnding: () => false });
      this.#left = [];
      this.#sweep();
    }
    this.#collect();
  }

  #guestOf(assigned: AssignedWorkload): Guest {
    const record = this.#left.find(({ id }) => id === assigned.id);
    this.#left = this.#left.filter(({ id }) => id !== assigned.id);
    const { graceSec = GRACE_SEC } = this.#input;
    return new Guest(
      {
        ...this.#input,
        graceSec,
        records: this.#records,
        makeReady: (wanted, making) => this.#parts.makeReady(wanted, making),
        needs: (wanted) => this.#parts.portItemsOf(wanted),
        isConfirmed: () => this.#input.assignments.isFromHost0,
        hasRoom: (wanted) => this.#parts.hasRoom(wanted),
        onItems: () => this.#collect(),
        onState: () => {
          this.#changes.emit();
          this.#input.assignments.changed();
        },
      },
      assigned,
      record,
    );
  }

  /** The node has a workload no more: its emulator is ended, and then its files go. */
  async #take(id: string, guest: Guest): Promise<void> {
    this.#guests.delete(id);
    this.#taking.add(id);
    await guest.remove();
    const { record, assigned } = guest;
    const { arrived } = assigned;
    if (record !== undefined) this.#leaving.set(id, { record, arrived, isEnding: () => guest.leaving !== undefined });
    else {
      await this.#removeDisks(disksMadeFor(assigned.workload)).catch(() => undefined);
      await this.#dropArrived(id, arrived).catch(() => undefined);
    }
    this.#taking.delete(id);
    this.#follow();
    this.#sweep();
  }

  /** Forgets the workloads that were taken from the node, and whose emulators have ended. */
  #sweep(): void {
    for (const [id, leaving] of this.#leaving) if (!this.#isRunning(id) && !leaving.isEnding()) this.#forget(leaving);
  }

  #isRunning(id: string): boolean {
    return this.#input.launcher.present().some(({ name }) => name === processNameOf(id));
  }

  #forget({ record, arrived }: Leaving): void {
    this.#leaving.delete(record.id);
    // One that is given again meanwhile is taken up afterwards: it would lose its sockets and its record.
    this.#taking.add(record.id);
    // The record goes last: it tells the next agent what to remove.
    const { id, uuidWord, disks = [] } = record;
    const { directories } = this.#input;
    const kept = [this.#parts.forget(id), this.#removeDisks(disks), this.#dropArrived(id, arrived)];
    const files = [removeVm(directories, id, uuidWord), ...kept];
    void Promise.all(files)
      .then(() => this.#records.remove(record.id))
      .catch((thrown: unknown) => {
        const { message } = MeshError.from(thrown);
        this.#input.journal.record({ level: 'warning', kind: 'workload files left', message, object: record.name });
      })
      .finally(() => {
        this.#taking.delete(record.id);
        this.#follow();
      });
  }

  /** Removes the copy by which a workload had come. Another one may just be arriving: the workload moves back to this node. */
  async #dropArrived(workload: string, word: string | undefined): Promise<void> {
    const { workloads } = this.#input.assignments;
    if (word === undefined || workloads.some(({ id, arrived }) => id === workload && arrived === word)) return;
    await this.#input.arrivals.drop({ workload, word });
  }

  /** Removes disks, apart from those that another workload of the node names, too. @throws MESH_DISK_REFUSED */
  async #removeDisks(paths: readonly string[]): Promise<void> {
    const others = this.#input.assignments.workloads.flatMap(({ workload }) => workload.volumes);
    const alone = paths.filter((path) => others.every((other) => other.path !== path));
    await Promise.all(alone.map((path) => this.#input.volumes.remove({ path })));
  }

  /** Collects the wanted emulators, and has the loop look when they have changed. */
  #collect(): void {
    const services = [...this.#guests.values()].flatMap(({ service }) => service ?? []);
    const isSame = services.length === this.#services.length && services.every((one, at) => one === this.#services[at]);
    if (isSame) return;
    this.#services = services;
    this.#agent?.takeUp();
  }

  /** Keeps the console logs short while there are guests: a node without guests does nothing for them. */
  #rotateLater(): void {
    if (this.#isRotating || this.#guests.size === 0) return;
    this.#isRotating = true;
    this.#input.clock.after(CONSOLE_LOOK_MS, () => {
      this.#isRotating = false;
      if (this.#isReleased) return;
      for (const id of this.#guests.keys()) rotateLog(vmConsoleLog(this.#input.directories, id), CONSOLE_MAX_BYTES);
      this.#rotateLater();
    });
  }

  /** Asks the emulator, for the first guest, and tells host0 what came of it. */
  async #probe(): Promise<EmulatorProbe> {
    const probe = await this.#accelerator.probe();
    if (this.#capacity?.accelerator !== probe.accelerator || this.#capacity.cpuModes === undefined)
      await this.#askMachine();
    return probe;
  }

  async #askMachine(): Promise<void> {
    const { volumeDirectory } = this.#input;
    const hasEmulator = findProgram(QEMU) !== undefined;
    const none = { accelerator: 'none', why: `There is no ${QEMU} on this node.` } as const;
    const { isInMemory, freeBytes } = await volumeRoom(volumeDirectory);
    this.#capacity = {
      ...{ threads: availableParallelism(), volumes: isInMemory ? 'memory' : 'disk', volumeBytes: freeBytes },
      ...(hasEmulator ? await this.#accelerator.known() : none),
    };
    this.#input.assignments.changed();
    if (!hasEmulator) this.#askLater();
  }

  /** Asks the machine again once an emulator was installed: host0 gives no workload to a node without one. */
  #askLater(): void {
    this.#input.clock.after(EMULATOR_LOOK_MS, () => {
      if (this.#isReleased) return;
      if (findProgram(QEMU) === undefined) this.#askLater();
      else void this.#askMachine();
    });
  }
}

/** The room for volumes: that of the nearest directory that is there. */
async function volumeRoom(directory: string): Promise<Pick<RoomView, 'isInMemory' | 'freeBytes'>> {
  for (let path = directory; ; path = dirname(path)) {
    const found = await roomAt(path).catch(() => undefined);
    if (found !== undefined) return found;
    if (path === dirname(path)) return { isInMemory: false, freeBytes: 0 };
  }
}
