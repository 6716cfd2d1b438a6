/**
 * The reconcile loop of a node: observe, plan, apply, until the plan is empty. Events only wake the loop: each pass
 * compares the kernel with the desired items. Tests: test/sim.
 */
import { isIpv6 } from '../../kernel/ip.ts';
import { AuditSchedule } from '../../kernel/mirror/audit-schedule.ts';
import { KernelMirror } from '../../kernel/mirror/kernel-mirror.ts';
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { KernelEvent } from '../../kernel/rtnl/objects.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Alarm } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { addressItemKey } from '../items/address.ts';
import { type Item, type ItemMap, itemKey, kindOf } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import { confOfPath } from '../items/link.ts';
import { isElementChange } from '../items/ruleset.ts';
import { observedItems } from '../kernel/observed.ts';
import { apply, type StepOutcome } from './apply.ts';
import { Backoff } from './backoff.ts';
import { changesBetween, Delta } from './delta.ts';
import type { Desire, ReconcilerInput } from './desire.ts';
import { type Apart, type Drift, driftOf, observeApart } from './drift.ts';
import { FollowedAddresses } from './followed-addresses.ts';
import { LoopJournal } from './loop-journal.ts';
import { FORGET_ROUTES, isMovedByKernel, MovedEntries } from './moved-entries.ts';
import type { PassReport } from './pass-report.ts';
import { disagreement, plan, printStep, type Step } from './plan.ts';
import { RulesetRecord } from './ruleset-record.ts';
import { takenEntryRemedy } from './taken-entry.ts';

/** Kernel events come in bursts, so one pass runs this long after the first. A delay of 20 ms does not matter. */
const COALESCE_MS = 20;
/** When so many entries have been learnt that nobody follows, they are counted: a table may be full. */
const OTHERS_MAX = 4_096;
/** A plan that is not empty after so many passes does not converge: the kernel does not keep the changes. */
const MAX_PASSES = 5;

/** Keeps one kernel as desired. It owns the mirror and is the only caller of `apply` for items. */
export class Reconciler {
  readonly #input: ReconcilerInput;
  readonly #passes = new Signal<PassReport>();
  /** A change that the kernel does not announce is likely: the next audit looks for it. */
  #expectsDifference = false;
  readonly #audits = new Signal<number>();
  readonly #overflows = new Signal<void>();
  readonly passes: Subscribable<PassReport> = this.#passes;
  /** Emits for each audit the number of items in which the cache disagreed with a fresh dump. */
  readonly audits: Subscribable<number> = this.#audits;
  /** Emits when kernel events were lost. */
  readonly overflows: Subscribable<void> = this.#overflows;
  readonly #followed = new FollowedAddresses();
  readonly #mirror: KernelMirror;
  readonly #journal: LoopJournal;
  readonly #rulesets: RulesetRecord;
  readonly #backoff: Backoff;
  readonly #moved: MovedEntries;
  readonly #delta = new Delta();
  readonly #schedule: AuditSchedule;
  #desired: ItemMap = new Map();
  #mayDelete: Desire['mayDelete'] = () => false;
  #recorded: Desire['recorded'] = () => [];
  /** Items for which the last pass had a step that is not done yet. */
  #unfinished: ReadonlySet<ItemKey> = new Set();
  #waiting = new Map<ItemKey, ItemKey>();
  #running: Promise<void> | undefined;
  #again = false;
  #coalesce: Alarm | undefined;
  #retry: Alarm | undefined;
  #started = false;
  #closed = false;
  #cacheDifference = 0;
  #passStartMs: number | undefined;
  /** Passes in a row that threw. */
  #faults = 0;

  constructor(input: ReconcilerInput) {
    this.#input = input;
    this.#mirror = new KernelMirror(input.kernel, this.#followed.keeps());
    this.#journal = new LoopJournal(input.journal);
    this.#rulesets = new RulesetRecord(input.kernel);
    this.#backoff = new Backoff(input.clock);
    this.#moved = new MovedEntries(input.clock);
    this.#schedule = new AuditSchedule({
      clock: input.clock,
      audit: () => this.audit(),
      onError: (error) => this.#fault('audit', error),
    });
    input.kernel.events.subscribe((event) => this.#onKernelEvent(event));
    input.services?.changes.subscribe(() => this.#wakeSoon(COALESCE_MS));
  }

  get cache(): KernelTables {
    return this.#mirror.tables;
  }

  /** The desired items of the last pass. */
  get desired(): ItemMap {
    return this.#desired;
  }

  /** Number of items in which the cache disagreed with the last audit's dump. Should be 0. */
  get cacheDifference(): number {
    return this.#cacheDifference;
  }

  /** When the pass that is under way began; undefined while none is. */
  get passStartMs(): number | undefined {
    return this.#passStartMs;
  }

  /** Reads the kernel and runs the first pass. */
  async start(): Promise<void> {
    await this.#mirror.renew();
    this.#started = true;
    this.#schedule.start();
    await this.wake();
  }

  /**
   * Runs a pass now, or right after the running one. Resolves when nothing is left to do, or when a pass threw: that is
   * told, and another pass comes after a pause. Does nothing before `start` has read the kernel: until then the cache is
   * empty.
   */
  wake(): Promise<void> {
    if (this.#closed || !this.#started) return Promise.resolve();
    this.#again = true;
    this.#running ??= this.#runPasses();
    return this.#running;
  }

  #onKernelEvent(event: KernelEvent): void {
    if (this.#losesAddress(event)) {
      this.#expectsDifference = true;
      this.#schedule.soon();
    }
    if (isMovedByKernel(event, this.cache)) void this.#forgetRoutes();
    const matters = this.#mirror.take(event);
    if (event.type === 'nft' && !event.echo) this.#rulesets.noteForeignChange();
    if (event.type === 'overflow') {
      this.#overflows.emit();
      this.#journal.overflow();
      this.#schedule.soon();
      return;
    }
    if (matters && !event.echo) this.#wakeSoon(COALESCE_MS);
    if (this.cache.othersSinceDump >= OTHERS_MAX) this.#schedule.soon();
  }

  /**
   * Whether a desired address is gone. IPv6 may have been switched off on its link, which takes the addresses with it and
   * is not announced. So the settings are read again.
   */
  #losesAddress(event: KernelEvent): boolean {
    if (event.type !== 'address' || !event.removed || event.address.family !== 6) return false;
    const link = this.cache.links.get(event.address.link)?.name;
    return link !== undefined && this.#desired.has(addressItemKey(link, event.address.address));
  }

  async #forgetRoutes(): Promise<void> {
    const [error] = await this.#input.kernel.apply([FORGET_ROUTES]).catch((thrown) => [MeshError.from(thrown)]);
    if (error !== undefined && !this.#closed) this.#journal.routesNotRenewed(error);
  }

  /**
   * Replaces the cache by a fresh dump and runs a pass. A fault is told; the next audit comes all the same.
   * @returns the number of items in which the cache and the dump disagreed
   */
  async audit(): Promise<number> {
    if (this.#closed) return 0;
    await this.#running;
    try {
      this.#input.kernel.drainEvents();
      const before = observedItems(this.cache, this.#desired);
      await this.#mirror.renew();
      this.#rulesets.invalidate();
      const difference = disagreement(before, observedItems(this.cache, this.#desired));
      // The cache has missed nothing that the kernel has announced.
      this.#cacheDifference = this.#expectsDifference ? 0 : difference;
      this.#expectsDifference = false;
      this.#audits.emit(this.#cacheDifference);
    } catch (thrown) {
      this.#fault('audit', thrown);
    }
    await this.wake();
    return this.#cacheDifference;
  }

  /**
   * Plans against a fresh dump, and does nothing.
   * @param also Ethernet addresses whose learnt FDB entries the dump has, too
   */
  drift(also: ReadonlySet<Mac> = new Set()): Promise<Drift> {
    this.#input.kernel.drainEvents();
    return driftOf({
      ...this.#apart,
      cache: this.cache,
      fresh: () => this.fresh(also),
      desired: this.#desired,
      isDisowned: (key) => this.#delta.isDisowned(key),
      mayDelete: (item) => this.#mayGo(item),
    });
  }

  /** A fresh dump, beside the cache. @param also as in `drift` */
  fresh(also: ReadonlySet<Mac>): Promise<KernelTables> {
    return this.#mirror.fresh(this.#followed.keeps(also));
  }

  /** The lasting failure of an item, if there is one. */
  failureOf(key: ItemKey): MeshError | undefined {
    return this.#backoff.errorOf(key);
  }

  /** All lasting failures, by rank: a link comes before its neighbour entries, so causes come first. */
  lastingFailures(): { item: ItemKey; error: MeshError }[] {
    const failing = this.#backoff.lasting().flatMap((failure) => {
      const item = this.#desired.get(failure.item);
      return item === undefined ? [] : [{ failure, rank: kindOf(item).rank(item) }];
    });
    return failing.sort((a, b) => a.rank - b.rank).map(({ failure }) => failure);
  }

  /** The failed item that an item waits for; undefined when it waits for none. */
  waitsFor(key: ItemKey): ItemKey | undefined {
    return this.#waiting.get(key);
  }

  /** Whether the item is desired, and in the kernel as desired. */
  isReady(key: ItemKey): boolean {
    return this.#desired.has(key) && !this.#unfinished.has(key);
  }

  /** Stops the loop; resolves after the pass that is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#coalesce?.cancel();
    this.#retry?.cancel();
    this.#schedule.close();
    await this.#running;
  }

  async #runPasses(): Promise<void> {
    try {
      for (let pass = 0; this.#again && !this.#closed; pass++) {
        this.#again = false;
        const steps = await this.#pass().catch((thrown: unknown) => this.#fault('pass of the loop', thrown));
        this.#faults = steps === undefined ? this.#faults + 1 : 0;
        if (steps === undefined) {
          this.#passStartMs = undefined;
          this.#delta.openEverything();
          return this.#wakeSoon(Math.min(Backoff.LONGEST_MS, Backoff.FIRST_MS * 2 ** this.#faults));
        }
        if (steps === 0) continue;
        if (pass < MAX_PASSES) this.#again = true;
        else this.#wakeSoon(Backoff.FIRST_MS);
      }
    } finally {
      // In the turn in which the loop has ended: a `wake` between the two would get a run that does nothing any more.
      this.#running = undefined;
    }
  }

  /** A kernel that is being closed refuses reads, which is no fault. */
  #fault(place: string, thrown: unknown): void {
    if (!this.#closed) this.#input.journal.faults.tell(place, thrown);
  }

  /** @returns how many steps were tried; 0 when none was due */
  async #pass(): Promise<number> {
    const { kernel, desire, clock } = this.#input;
    const startMs = clock.nowMs();
    this.#passStartMs = startMs;
    kernel.drainEvents();
    this.#coalesce?.cancel();
    this.#coalesce = undefined;
    await this.#mirror.renewRoutes();
    const {
      items: desired,
      mayDelete,
      recorded,
      changed = changesBetween(this.#desired, desired),
    } = desire(this.cache);
    const wasReady = (key: ItemKey) => this.isReady(key) && !changed.has(key);
    this.#desired = desired;
    this.#mayDelete = mayDelete;
    this.#recorded = recorded;
    this.#followed.follow(desired, changed);
    const sides = this.#delta.sides(this.cache, desired, changed);
    await observeApart(this.#apart, this.cache, sides.observed, sides.desired);
    const all = plan(sides.observed, sides.desired, { mayDelete: (item) => this.#mayGo(item) });
    this.#delta.close(sides, all);
    const repairs = new Set(all.filter((step) => step.action !== 'delete' && wasReady(step.key)));
    this.#unfinished = new Set(all.map((step) => step.key));
    const steps = this.#moved.filter(all).filter((step) => this.#backoff.isDue(step.key));
    const held = new Set(all.flatMap(({ key }) => (this.#backoff.isDue(key) ? [] : [key])));
    const outcomes = await apply(steps, kernel, this.#input.services, held);
    const drifted = await this.#note(outcomes, repairs);
    this.#passStartMs = undefined;
    this.#passes.emit({ durationMs: clock.nowMs() - startMs, outcomes, drifted });
    return steps.length;
  }

  #mayGo(item: Item): boolean {
    return this.#mayDelete(item, this.#delta.isDisowned(itemKey(item)));
  }

  get #apart(): Apart {
    const { kernel, services } = this.#input;
    return { kernel, rulesets: this.#rulesets, recorded: this.#recorded, ...(services !== undefined && { services }) };
  }

  /**
   * Notes which items are ready, which steps failed, and when to try these again. Writes to the journal.
   * @param repairs steps for items that were ready until another program changed them
   * @returns the outcomes of the repairs that were due
   */
  async #note(outcomes: readonly StepOutcome[], repairs: ReadonlySet<Step>): Promise<readonly StepOutcome[]> {
    const { kernel } = this.#input;
    const drifted = outcomes.filter(({ step }) => repairs.has(step));
    const unfinished = new Set(this.#unfinished);
    this.#waiting = new Map();
    for (const { step, error, waitsFor } of outcomes) {
      if (waitsFor !== undefined) this.#waiting.set(step.key, waitsFor);
      else if (error !== undefined) {
        if (this.#backoff.failed(step.key, error)) this.#reportLasting(step, error);
        if (step.item.kind === 'ruleset') this.#rulesets.invalidate();
      } else {
        unfinished.delete(step.key);
        this.#noteSuccess(step);
        await this.#noteRuleset(step);
        this.#noteUnannounced(step);
      }
    }
    kernel.drainEvents();
    this.#unfinished = unfinished;
    this.#backoff.keepOnly((key) => this.#desired.has(key), unfinished);
    this.#journal.repaired(drifted.flatMap(({ step }) => (unfinished.has(step.key) ? [] : [step])));
    this.#scheduleRetry();
    return drifted;
  }

  #noteSuccess(step: Step): void {
    if (step.action === 'delete') {
      this.#backoff.forget(step.key);
      return;
    }
    const futile = this.#backoff.succeeded(step.key, printStep(step), () => takenEntryRemedy(this.cache, step.item));
    if (futile?.news) this.#reportLasting(step, futile.error);
  }

  async #noteRuleset(step: Step): Promise<void> {
    if (step.item.kind !== 'ruleset') return;
    if (step.action === 'delete') this.#rulesets.invalidate();
    else if (step.action === 'change' && step.have.kind === 'ruleset' && isElementChange(step.have, step.item)) {
      this.#rulesets.noteElements(step.item);
    } else await this.#rulesets.noteWhole(step.item);
  }

  /** Reports a step whose failure has become lasting (see `Backoff`). */
  #reportLasting(step: Step, error: MeshError): void {
    this.#input.onLastingFailure();
    this.#journal.failed(step, error);
  }

  /** Puts into the cache what the kernel does not announce, or not at once: settings and IPv6 addresses. */
  #noteUnannounced(step: Step): void {
    if (step.action === 'delete') return;
    const kind = kindOf(step.item);
    const operations = step.action === 'change' ? kind.change(step.have, step.item) : kind.create(step.item);
    for (const operation of operations) {
      if (operation.do === 'sysctl') {
        const setting = confOfPath(operation.path, operation.value);
        if (setting !== undefined) this.cache.noteConf(setting.link, setting.conf);
      }
    }
    const { item } = step;
    if (item.kind === 'address' && isIpv6(item.address)) this.cache.noteAddress(item.link, item.address, item.length);
  }

  #wakeSoon(delayMs: number): void {
    if (this.#coalesce !== undefined || this.#closed) return;
    this.#coalesce = this.#input.clock.after(delayMs, () => {
      this.#coalesce = undefined;
      void this.wake();
    });
  }

  #scheduleRetry(): void {
    this.#retry?.cancel();
    const nowMs = this.#input.clock.nowMs();
    const dues = [this.#backoff.nextDueMs, this.#moved.nextDueMs];
    const dueMs = Math.min(...dues.map((due) => due ?? Infinity));
    if (dueMs === Infinity || this.#closed) return;
    this.#retry = this.#input.clock.after(Math.max(0, dueMs - nowMs), () => void this.wake());
  }
}
