/**
 * The active router of each network that has something which exists once. host0 alone chooses: a router that host0 does not hear is
 * given up 12 s after its last sign of life, and without host0 nothing moves. Each choice is in the store before a node is told.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import { hexNumber, type NetworkNumber } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { Collection } from '../../store/collection.ts';
import type { Store } from '../../store/store.ts';
import { chooseRouter, type RouterCandidate } from './router-choice.ts';
import { ROUTER_RECORDS, type RouterRecord } from './router-record.ts';

/** A network that needs an active router. */
export interface RoutedNetwork {
  readonly number: NetworkNumber;
  readonly name: string;
  /** The nodes that can be its router. */
  readonly routers: readonly MachineWord[];
}

/** What the choice depends on. */
export interface ActiveRoutersInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  /** All networks that need one now. */
  readonly networks: () => readonly RoutedNetwork[];
  /** Whether a document about a network cannot be read: a network that is missing among `networks` keeps its router then. */
  readonly isUnread: (network: NetworkNumber) => boolean;
}

/** After a start of host0, nodes have so long to call before a router counts as silent: theirs may have to find out first. */
const GRACE_AFTER_START_MS = 20_000;
/** How long to wait before the next attempt to write to the store. */
const RETRY_MS = 1_000;

/** What is known of a node. */
interface Sign {
  readonly stands: boolean;
  readonly atMs: number;
}

/** Chooses, and remembers. Call `look` when the networks or their routers are others. */
export class ActiveRouters implements HealthSource {
  readonly #input: ActiveRoutersInput;
  readonly #records: Collection<RouterRecord>;
  readonly #active = new Map<NetworkNumber, MachineWord>();
  readonly #signs = new Map<MachineWord, Sign>();
  readonly #changes = new Signal<NetworkNumber>();
  /** Emits each network whose active router is another one, when the store has that. */
  readonly changes: Subscribable<NetworkNumber> = this.#changes;
  readonly #startedMs: number;
  #alarm: Alarm | undefined;
  #isLooking = false;
  #again = false;
  #closed = false;

  private constructor(input: ActiveRoutersInput) {
    this.#input = input;
    this.#records = new Collection(input.store, ROUTER_RECORDS);
    this.#startedMs = input.clock.nowMs();
  }

  /** Reads what an earlier run of host0 has chosen. @throws MESH_STORE_BROKEN */
  static async open(input: ActiveRoutersInput): Promise<ActiveRouters> {
    const routers = new ActiveRouters(input);
    const { records } = await routers.#records.list();
    for (const { record } of records) routers.#active.set(record.network, record.machine);
    return routers;
  }

  /** The active router of a network; undefined while there is none. */
  activeOf(network: NetworkNumber): MachineWord | undefined {
    return this.#active.get(network);
  }

  /** The channel of a node stands. */
  opened(machine: MachineWord): void {
    this.#signs.set(machine, { stands: true, atMs: this.#input.clock.nowMs() });
    this.look();
  }

  /** The channel of a node has ended. @param silentMs how long nothing had been heard of the node before */
  closed(machine: MachineWord, silentMs = 0): void {
    this.#signs.set(machine, { stands: false, atMs: this.#input.clock.nowMs() - silentMs });
    this.look();
  }

  /** Chooses again. One choice after the other; what changes meanwhile is looked at afterwards. */
  look(): void {
    if (this.#closed) return;
    this.#again = true;
    if (!this.#isLooking) void this.#lookUntilQuiet();
  }

  /** Networks whose router is silent while no other one lives. */
  health(): readonly Finding[] {
    return this.#input.networks().flatMap(({ number, name, routers }): Finding[] => {
      const active = this.#active.get(number);
      const isHeard = active !== undefined && this.#signs.get(active)?.stands === true;
      if (isHeard || this.#input.clock.nowMs() - this.#startedMs < GRACE_AFTER_START_MS) return [];
      if (
        active !== undefined &&
        this.#candidate(active, 0).lastSignMs > this.#input.clock.nowMs() - GRACE_AFTER_START_MS
      )
        return [];
      const message = `no router of ${name} is heard; ${routers.length === 0 ? 'no node has the role' : `these could serve: ${routers.join(', ')}`}`;
      const remedy = 'See `mesh node list`; give another node the role: `mesh node role add NODE router`.';
      return [{ code: 'MESH_ROUTER_SILENT', severity: 'error', object: name, message, remedy }];
    });
  }

  close(): void {
    this.#closed = true;
    this.#alarm?.cancel();
  }

  async #lookUntilQuiet(): Promise<void> {
    this.#isLooking = true;
    while (this.#again && !this.#closed) {
      this.#again = false;
      try {
        await this.#chooseAll();
      } catch (thrown) {
        this.#input.journal.failure('active router not kept', thrown);
        this.#lookAt(this.#input.clock.nowMs() + RETRY_MS);
      }
    }
    this.#isLooking = false;
  }

  async #chooseAll(): Promise<void> {
    const nowMs = this.#input.clock.nowMs();
    const networks = this.#input.networks();
    this.#alarm?.cancel();
    const wanted = new Set(networks.map(({ number }) => number));
    const gone = [...this.#active.keys()].filter((number) => !wanted.has(number) && !this.#input.isUnread(number));
    for (const number of gone) await this.#forget(number);
    let lookAtMs = Number.POSITIVE_INFINITY;
    for (const { number, name, routers } of networks) {
      const loads = Map.groupBy(this.#active.values(), (machine) => machine);
      const candidates = routers.map((machine) => this.#candidate(machine, loads.get(machine)?.length ?? 0));
      const current = this.#active.get(number);
      const choice = chooseRouter(current, candidates, nowMs);
      lookAtMs = Math.min(lookAtMs, choice.lookAtMs ?? Number.POSITIVE_INFINITY);
      if (choice.active !== current) await this.#choose({ number, name }, current, choice.active);
    }
    if (Number.isFinite(lookAtMs)) this.#lookAt(lookAtMs);
  }

  /** A node of which this run of host0 has heard nothing has the time to call. */
  #candidate(machine: MachineWord, load: number): RouterCandidate {
    const { stands, atMs } = this.#signs.get(machine) ?? {
      stands: false,
      atMs: this.#startedMs + GRACE_AFTER_START_MS / 2,
    };
    return { machine, stands, lastSignMs: atMs, load };
  }

  async #choose(
    { number, name }: Pick<RoutedNetwork, 'number' | 'name'>,
    before: MachineWord | undefined,
    now: MachineWord | undefined,
  ): Promise<void> {
    if (now === undefined) return await this.#forget(number);
    await this.#input.store.txn([], [this.#records.put({ format: 1, network: number, machine: now })]);
    this.#active.set(number, now);
    const message = before === undefined ? `${now} is the router of ${name}` : `${name} from ${before} to ${now}`;
    this.#input.journal.record({ kind: 'router moved', message, object: name });
    this.#changes.emit(number);
  }

  async #forget(number: NetworkNumber): Promise<void> {
    await this.#input.store.txn([], [this.#records.remove(hexNumber(number))]);
    this.#active.delete(number);
    this.#changes.emit(number);
  }

  #lookAt(atMs: number): void {
    if (this.#closed) return;
    this.#alarm?.cancel();
    this.#alarm = this.#input.clock.after(Math.max(0, atMs - this.#input.clock.nowMs()), () => this.look());
  }
}
