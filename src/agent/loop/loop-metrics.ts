/** The loop's metrics: passes, steps, drift, audits. */
import type { Counter, Histogram, Registry } from '../../metrics/registry.ts';
import { ITEM_KINDS } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { StepOutcome } from './apply.ts';
import type { PassReport } from './pass-report.ts';
import type { Reconciler } from './reconciler.ts';

const OF_KINDS = ITEM_KINDS.map((kind) => ({ kind }));

/** Registers the metrics of one reconciler and counts its reports. docs/observability.md lists them. */
export class LoopMetrics {
  readonly #loop: Reconciler;
  readonly #passes: Histogram;
  readonly #steps: Counter<'kind' | 'action' | 'outcome'>;
  readonly #found: Counter<'kind'>;
  readonly #repaired: Counter<'kind'>;
  readonly #audits: Counter;
  readonly #overflows: Counter;
  readonly #differences: Counter;
  /** Items that another program changed and that are not repaired yet. */
  readonly #drifted = new Set<ItemKey>();
  #lastDifference = 0;

  constructor(registry: Registry, loop: Reconciler) {
    this.#loop = loop;
    this.#passes = registry.histogram({
      name: 'meshwork_reconcile_duration_seconds',
      help: 'One pass of the loop: compares the kernel with the desired state, and applies the difference.',
    });
    this.#steps = registry.counter({
      name: 'meshwork_reconcile_steps_total',
      help: 'Steps by kind of item, action (create, change, recreate, delete) and outcome: done, failed, or waiting for one that failed.',
      labels: ['kind', 'action', 'outcome'],
    });
    const countedByKind = (name: string, help: string) => registry.counter({ name, help, labels: ['kind'] }, OF_KINDS);
    this.#found = countedByKind(
      'meshwork_drift_found_items_total',
      'Items that had been right and that another program changed or removed.',
    );
    this.#repaired = countedByKind(
      'meshwork_drift_repaired_items_total',
      'Items that another program had changed and that the agent has repaired.',
    );
    registry.gauge(
      {
        name: 'meshwork_drift_open_items',
        help: 'Items that another program changed and that are not repaired yet. Should be 0.',
      },
      () => [{ value: this.#openDrift() }],
    );
    this.#audits = registry.counter({
      name: 'meshwork_audits_total',
      help: 'Full dumps of the kernel that the cache was compared with: one a minute, and one after each overflow.',
    });
    registry.gauge(
      {
        name: 'meshwork_audit_difference_items',
        help: 'Items in which the cache disagreed with the kernel at the last audit. Must be 0.',
      },
      () => [{ value: this.#lastDifference }],
    );
    this.#differences = registry.counter({
      name: 'meshwork_audit_missed_items_total',
      help: 'All items in which the cache disagreed with the kernel at any audit. Must not grow.',
    });
    this.#overflows = registry.counter({
      name: 'meshwork_monitor_overflows_total',
      help: 'How often the kernel had more events than the agent could take; the whole state was read again.',
    });
    loop.passes.subscribe((report) => this.#notePass(report));
    loop.audits.subscribe((difference) => this.#noteAudit(difference));
    loop.overflows.subscribe(() => this.#overflows.add({}));
  }

  #notePass({ durationMs, outcomes, drifted }: PassReport): void {
    this.#passes.observe({}, durationMs / 1000);
    for (const outcome of drifted) {
      this.#found.add({ kind: outcome.step.item.kind });
      this.#drifted.add(outcome.step.key);
    }
    for (const outcome of outcomes) {
      const { step } = outcome;
      const result = resultOf(outcome);
      this.#steps.add({ kind: step.item.kind, action: step.action, outcome: result });
      if (result !== 'done' || !this.#drifted.delete(step.key)) continue;
      // Removed because it is not desired any more: no longer drift, and not repaired.
      if (step.action !== 'delete') this.#repaired.add({ kind: step.item.kind });
    }
  }

  /** The number of drifted items. Those that the last pass did not desire no longer count. */
  #openDrift(): number {
    for (const key of this.#drifted) if (!this.#loop.desired.has(key)) this.#drifted.delete(key);
    return this.#drifted.size;
  }

  #noteAudit(difference: number): void {
    this.#audits.add({});
    this.#lastDifference = difference;
    this.#differences.add({}, difference);
  }
}

function resultOf({ error, waitsFor }: StepOutcome): 'done' | 'failed' | 'waiting' {
  if (waitsFor !== undefined) return 'waiting';
  return error === undefined ? 'done' : 'failed';
}
