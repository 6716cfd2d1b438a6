/** The commands about workloads. Each decides on the state that it changes, one after another, and says what it does. */
import { isAbsolute } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Workload, workloadIdOf } from '../../model/workload/workload.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import type { WorkloadRun } from '../../protocol/documents/workload/assigned-workload.ts';
import type { WorkloadAnswer, WorkloadView } from '../../protocol/documents/workload/workload-view.ts';
import type { MoveNotes } from './move-notes.ts';
import { PlaceCandidates, type PlaceCandidatesInput } from './place-candidates.ts';
import { demandBytes, mustFit } from './placement.ts';
import type { WorkloadChangeOrder } from './workload-book.ts';
import { overbooked, workloadFindings } from './workload-findings.ts';
import { type CardNetworks, networkOfCard, planCards } from './workload-ports.ts';
import type { WorkloadMove, WorkloadNode, WorkloadRecord } from './workload-record.ts';
import {
  diskStays,
  workloadDouble,
  workloadMoves,
  workloadOnNoNode,
  workloadOutOfReach,
  workloadRuns,
  workloadStopped,
  workloadTwice,
} from './workload-refusals.ts';
import { isAlive } from './workload-reports.ts';
import { lostCards, workloadView } from './workload-views.ts';

/** What the commands work on. */
export interface WorkloadOrdersInput extends CardNetworks, PlaceCandidatesInput {
  readonly notes: Pick<MoveNotes, 'of' | 'changes'>;
  /** Gives a word that nobody has had: 16 hex digits. */
  readonly newWord: () => string;
}

/** `dryRun`: says what would be done, and does nothing. */
export interface OrderOptions {
  readonly dryRun?: boolean;
}

/** What a start may be given. */
export interface StartOptions extends OrderOptions {
  /** The definition from here on. Absent: the known one. */
  readonly workload?: Workload;
  /** Name or machine id of a node. */
  readonly node?: string;
  /** The mark of the order that makes the workload. A workload that the order has not made is refused. */
  readonly order?: string;
}

/** What a command has decided. */
interface Decision {
  readonly before: WorkloadRecord | undefined;
  /** Undefined where the workload is removed. */
  readonly after: WorkloadRecord | undefined;
  readonly ports?: WorkloadChangeOrder['ports'];
  readonly portsAfter?: (made: readonly string[]) => WorkloadRecord['ports'];
  /** Empty: all is as wanted, and nothing is written. */
  readonly steps: readonly string[];
}

/** The commands. */
export class WorkloadOrders implements HealthSource {
  readonly #input: WorkloadOrdersInput;
  readonly #places: PlaceCandidates;

  constructor(input: WorkloadOrdersInput) {
    this.#input = input;
    this.#places = new PlaceCandidates(input);
  }

  /** All workloads, by name. */
  list(): readonly WorkloadView[] {
    return this.#input.book.all.map((record) => this.#view(record));
  }

  /** A workload by its name, uuid or id. @throws MESH_WORKLOAD_UNKNOWN */
  show(wanted: string): WorkloadView {
    return this.#view(this.#input.book.find(wanted));
  }

  /** The workload that an order has made; undefined when there is none. */
  madeBy(order: string): WorkloadView | undefined {
    const record = this.#input.book.all.find((one) => one.order === order);
    return record && this.#view(record);
  }

  /** Workloads that are lost, failed or run twice, and nodes that have promised more memory than they have. */
  health(): readonly Finding[] {
    const nodes = this.#input.reports.reached.map((machine) => this.#places.at(machine, ''));
    return [...workloadFindings(this.list()), ...overbooked(nodes)];
  }

  /** Calls `listener` whenever a view may be another one. @returns a function that ends the subscription */
  subscribe(listener: () => void): () => void {
    const { book, reports, notes } = this.#input;
    const ends = [book.changes, reports.changes, notes.changes].map((changes) => changes.subscribe(() => listener()));
    return () => {
      for (const end of ends) end();
    };
  }

  /**
   * Keeps a workload without starting it, or changes one that does not run.
   * @throws MESH_WORKLOAD_TWICE, MESH_WORKLOAD_RUNS, MESH_NET_UNKNOWN, MESH_PORT_UNFIT
   */
  put(workload: Workload, options: OrderOptions = {}): Promise<WorkloadAnswer> {
    return this.#carryOut(options, () => {
      const before = this.#known(workload);
      if (before !== undefined && isDeepStrictEqual(before.workload, workload))
        return { before, after: before, steps: [] };
      if (before !== undefined) this.#mustBeStill(before, 'changed');
      if (before?.at === undefined) {
        for (const card of workload.networks) networkOfCard(card, this.#input);
        const after: WorkloadRecord = { ...(before ?? { wanted: 'stopped', generation: 0, ports: {} }), workload };
        return { before, after, steps: [before === undefined ? `keep ${workload.name}` : `change ${workload.name}`] };
      }
      const { changes, portsAfter, steps } = planCards(workload, before.at, before, this.#input);
      // One that has ended is wanted to run still: a later generation would start it.
      const after = { ...before, workload, wanted: 'stopped' as const, generation: before.generation + 1 };
      return { before, after, ports: changes, portsAfter, steps: [`change ${workload.name}`, ...steps] };
    });
  }

  /**
   * Starts a workload on its node, or on one that is chosen now. One that runs stays as it is.
   * @throws MESH_WORKLOAD_UNKNOWN, MESH_WORKLOAD_TWICE, MESH_WORKLOAD_RUNS, MESH_WORKLOAD_NO_ROOM, MESH_NODE_UNKNOWN, MESH_NODE_OFFLINE
   */
  start(wanted: string, options: StartOptions = {}): Promise<WorkloadAnswer> {
    return this.#carryOut(options, () => {
      const before = options.workload === undefined ? this.#input.book.find(wanted) : this.#known(options.workload);
      if (before !== undefined && options.order !== undefined && before.order !== options.order)
        throw workloadTwice(before.workload, `there is a workload ${before.workload.name}`);
      const isKept = before !== undefined && !this.#waitsForPort(before);
      const runs = isKept && before.wanted !== 'stopped' && isAlive(this.#runOf(before));
      if (runs) {
        this.#mustNotMove(before);
        if (options.workload !== undefined && !isDeepStrictEqual(before.workload, options.workload))
          this.#mustBeStill(before, 'started with another definition');
        if (options.node !== undefined) this.#places.chosen(before, options.node);
        return before.wanted === 'paused'
          ? { before, after: { ...before, wanted: 'running' }, steps: [`tell ${before.at?.node} to resume ${wanted}`] }
          : { before, after: before, steps: [] };
      }
      return this.#startDecision(before, options);
    });
  }

  /** Ends a workload, if it runs, and starts it anew. @throws those of `start` */
  restart(wanted: string, options: StartOptions = {}): Promise<WorkloadAnswer> {
    return this.#carryOut(options, () => {
      const before = options.workload === undefined ? this.#input.book.find(wanted) : this.#known(options.workload);
      return this.#startDecision(before, options);
    });
  }

  /** Has the guest power off, and ends it when it does not. @throws MESH_WORKLOAD_UNKNOWN */
  stop(wanted: string, options: OrderOptions = {}): Promise<WorkloadAnswer> {
    return this.#carryOut(options, () => {
      const before = this.#input.book.find(wanted);
      this.#mustNotMove(before);
      if (before.wanted === 'stopped') return { before, after: before, steps: [] };
      return {
        before,
        after: { ...before, wanted: 'stopped' },
        steps: [`tell ${before.at?.node} to stop ${before.workload.name}`],
      };
    });
  }

  /** Holds the guest still, with its memory. @throws MESH_WORKLOAD_UNKNOWN, MESH_WORKLOAD_RUNS for one that does not run */
  pause(wanted: string, options: OrderOptions = {}): Promise<WorkloadAnswer> {
    return this.#carryOut(options, () => {
      const before = this.#input.book.find(wanted);
      this.#mustNotMove(before);
      if (before.wanted === 'stopped' || this.#hasEnded(before)) throw workloadStopped(before, 'paused');
      if (before.wanted === 'paused') return { before, after: before, steps: [] };
      return {
        before,
        after: { ...before, wanted: 'paused' },
        steps: [`tell ${before.at?.node} to pause ${before.workload.name}`],
      };
    });
  }

  /** Lets a guest go on that was paused. @throws MESH_WORKLOAD_UNKNOWN, MESH_WORKLOAD_RUNS for one that does not run */
  resume(wanted: string, options: OrderOptions = {}): Promise<WorkloadAnswer> {
    return this.#carryOut(options, () => {
      const before = this.#input.book.find(wanted);
      if (before.wanted === 'stopped' || this.#hasEnded(before)) throw workloadStopped(before, 'resumed');
      if (before.wanted === 'running') return { before, after: before, steps: [] };
      return {
        before,
        after: { ...before, wanted: 'running' },
        steps: [`tell ${before.at?.node} to resume ${before.workload.name}`],
      };
    });
  }

  /**
   * Forgets a workload, with its ports. Its node removes what it made for it, also when it comes back later.
   * @throws MESH_WORKLOAD_UNKNOWN, MESH_WORKLOAD_RUNS without `force`
   */
  remove(
    wanted: string,
    { force = false, ...options }: OrderOptions & { readonly force?: boolean },
  ): Promise<WorkloadAnswer> {
    return this.#carryOut(options, () => {
      const before = this.#input.book.find(wanted);
      if (!force) this.#mustBeStill(before, 'deleted');
      const known = new Set(this.#input.ports.all.map(({ id }) => id));
      const remove = Object.values(before.ports).filter((id) => known.has(id));
      const steps = [
        ...(before.at === undefined
          ? []
          : [`tell ${before.at.node} to end ${before.workload.name} and remove its disks`]),
        ...remove.map((id) => `delete port ${id}`),
        `forget ${before.workload.name}`,
      ];
      return { before, after: undefined, ports: { remove }, steps };
    });
  }

  /**
   * Begins to move a workload to another node: it stops first, and then its disks are copied. With `force` it gets new ones; from a node
   * that is away it goes with `force` at once. A move to the present node gives up the one that is under way.
   * @throws MESH_NOT_SUPPORTED for a workload with disks of the administrator without `force`, and those of `start`
   */
  move(
    wanted: string,
    to: { readonly node: string; readonly force?: boolean } & OrderOptions,
  ): Promise<WorkloadAnswer> {
    return this.#carryOut(to, () => {
      const before = this.#input.book.find(wanted);
      const { workload, at } = before;
      const candidate = this.#places.called(to.node, workload.name);
      const target: WorkloadNode = { machine: candidate.machine, node: candidate.node };
      if (at === undefined) throw workloadOnNoNode(before);
      if (at.machine === target.machine) return stays(before);
      mustFit(workload, candidate);
      const isReached = this.#input.reports.isReached(at.machine);
      if (to.force === true && !isReached) return this.#placedAt(before, target);
      if (!isReached) throw workloadOutOfReach(before);
      const isCopied = to.force !== true && (workload.volumes.length > 0 || workload.firmware === 'uefi');
      const foreign = workload.volumes.find(({ type, path }) => type === 'qcow2' && isAbsolute(path));
      if (isCopied && foreign !== undefined) throw diskStays(before, target, foreign.path);
      this.#mustNotMove(before);
      const steps = [
        `tell ${at.node} to stop ${workload.name}`,
        ...(isCopied ? [`copy the disks of ${workload.name} to ${target.node}`] : []),
        ...planCards(workload, target, before, this.#input).steps,
        `tell ${target.node} to ${before.wanted === 'stopped' ? 'take' : 'start'} ${workload.name}`,
      ];
      const moving = { ...target, ...(isCopied && { copy: this.#input.newWord() }) };
      return { before, after: { ...before, moving }, steps };
    });
  }

  /** Ends a move: the workload is on its new node. Nothing happens if the move was given up meanwhile, for another one too. */
  moved(name: string, move: WorkloadMove): Promise<WorkloadAnswer> {
    return this.#carryOut({}, () => {
      const before = this.#input.book.find(name);
      if (!isDeepStrictEqual(before.moving, move)) return { before, after: before, steps: [] };
      return this.#placedAt(before, { machine: move.machine, node: move.node }, move.copy);
    });
  }

  /**
   * @param before the workload where it is; it need not be there any more
   * @param arrived the word of the copy of its disks; undefined: it gets new ones
   */
  #placedAt(before: WorkloadRecord, target: WorkloadNode, arrived?: string): Decision {
    const { workload, wanted, generation } = before;
    const { changes, portsAfter, steps } = planCards(workload, target, before, this.#input);
    const { moving: _, arrived: __, ...rest } = before;
    const after = { ...rest, at: target, generation: generation + 1, ...(arrived !== undefined && { arrived }) };
    const verb = wanted === 'stopped' ? 'take' : 'start';
    return {
      before,
      after,
      ports: changes,
      portsAfter,
      steps: [...steps, `tell ${target.node} to ${verb} ${workload.name}`],
    };
  }

  #startDecision(before: WorkloadRecord | undefined, options: StartOptions): Decision {
    const workload = options.workload ?? before?.workload;
    if (workload === undefined) throw new TypeError('a workload is known, or given');
    if (before !== undefined) this.#mustNotMove(before);
    const made = options.order === undefined ? {} : { order: options.order };
    const known: WorkloadRecord = before ?? { workload, wanted: 'stopped', generation: 0, ports: {}, ...made };
    const candidate = this.#places.chosen(known, options.node, workload);
    const at = { machine: candidate.machine, node: candidate.node };
    this.#mustNotRunBeside(known, at);
    const { changes, portsAfter, steps } = planCards(workload, at, before, this.#input);
    const after: WorkloadRecord = { ...known, workload, at, wanted: 'running', generation: known.generation + 1 };
    const bytes = candidate.capacity === undefined ? workload.memoryBytes : demandBytes(workload, candidate.capacity);
    return {
      before,
      after,
      ports: changes,
      portsAfter,
      steps: [
        ...(before === undefined ? [`keep ${workload.name}`] : []),
        ...(before !== undefined && !isDeepStrictEqual(before.workload, workload) ? [`change ${workload.name}`] : []),
        `reserve ${Math.ceil(bytes / 1024 ** 2)} MiB of memory on ${at.node}`,
        ...steps,
        `tell ${at.node} to start ${workload.name}`,
      ],
    };
  }

  /** @throws MESH_WORKLOAD_TWICE when the name or the uuid is that of another workload */
  #known(workload: Workload): WorkloadRecord | undefined {
    const { book } = this.#input;
    const before = book.all.find(({ workload: { name } }) => name === workload.name);
    const id = workloadIdOf(workload.uuid);
    const twin = book.all.find(
      ({ workload: { name, uuid } }) => name !== workload.name && (uuid === workload.uuid || workloadIdOf(uuid) === id),
    );
    if (twin !== undefined) throw workloadTwice(workload, `the uuid ${workload.uuid} is that of ${twin.workload.name}`);
    if (before !== undefined && before.workload.uuid !== workload.uuid)
      throw workloadTwice(workload, `there is a workload ${workload.name} with the uuid ${before.workload.uuid}`);
    return before;
  }

  /** @throws MESH_WORKLOAD_RUNS */
  #mustBeStill(record: WorkloadRecord, verb: string): void {
    this.#mustNotMove(record);
    if (record.wanted === 'stopped' && !isAlive(this.#runOf(record))) return;
    if (record.at !== undefined && record.wanted !== 'stopped' && this.#hasEnded(record)) return;
    throw workloadRuns(record, verb);
  }

  /** @throws MESH_WORKLOAD_RUNS */
  #mustNotMove(record: WorkloadRecord): void {
    if (record.moving !== undefined) throw workloadMoves(record);
  }

  /** A store of a backup may not know where the guest is. @throws MESH_WORKLOAD_DOUBLE */
  #mustNotRunBeside(record: WorkloadRecord, { machine }: WorkloadNode): void {
    const { reports, nodes } = this.#input;
    const others = reports.runningOn(workloadIdOf(record.workload.uuid)).filter((other) => other !== machine);
    const other = others.find((candidate) => reports.isReached(candidate));
    if (other !== undefined) throw workloadDouble(record, nodes.nameOf(other));
  }

  /** A guest that runs goes on without its port. One that does not run yet waits for it, for ever. */
  #waitsForPort(record: WorkloadRecord): boolean {
    const state = this.#runOf(record)?.state;
    return state !== 'running' && state !== 'paused' && lostCards(record, this.#input.ports).length > 0;
  }

  #hasEnded(record: WorkloadRecord): boolean {
    const run = this.#runOf(record);
    return run !== undefined && run.generation === record.generation && !isAlive(run);
  }

  #runOf(record: WorkloadRecord | undefined): WorkloadRun | undefined {
    if (record?.at === undefined) return undefined;
    return this.#input.reports.runOn(record.at.machine, workloadIdOf(record.workload.uuid));
  }

  #view(record: WorkloadRecord): WorkloadView {
    const { reports, ports, nodes, notes, network } = this.#input;
    const hasNetwork = (wanted: string) => isKnown(() => network(wanted));
    return workloadView(record, { reports, ports, notes, hasNetwork, nameOf: (machine) => nodes.nameOf(machine) });
  }

  #carryOut({ dryRun = false }: OrderOptions, decide: () => Decision): Promise<WorkloadAnswer> {
    return this.#input.book
      .change(() => {
        const { before, after, ports, portsAfter, steps } = decide();
        const name = (after ?? before)?.workload.name ?? '';
        const order: WorkloadChangeOrder = {
          ...(ports !== undefined && { ports }),
          ...(after !== undefined && {
            after: (made: readonly string[]) => ({ ...after, ports: portsAfter?.(made) ?? after.ports }),
          }),
        };
        const last = after ?? before;
        const result = { name, steps, shown: last };
        return { name, result, ...(!dryRun && steps.length > 0 && { order }) };
      })
      .then(({ name, steps, shown }) => {
        const record = (dryRun ? undefined : this.#input.book.get(name)) ?? shown;
        if (record === undefined) throw new TypeError('a command is about a workload');
        return { workload: this.#view(record), steps, dryRun };
      });
  }
}

/** The workload is where it is wanted. What was to move stays, and runs again if it should. */
function stays(before: WorkloadRecord): Decision {
  const { moving, ...after } = before;
  if (moving === undefined) return { before, after, steps: [] };
  const { workload, wanted, at } = before;
  const start = wanted === 'stopped' ? [] : [`tell ${at?.node} to start ${workload.name}`];
  return { before, after, steps: [`give up the move of ${workload.name} to ${moving.node}`, ...start] };
}

function isKnown(find: () => unknown): boolean {
  try {
    find();
    return true;
  } catch {
    return false;
  }
}
