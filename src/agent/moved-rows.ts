/**
 * host0's rows follow their sender: a frame of a known member from another IPv4 moves the row in the kernel at once. That
 * is either the member at its new address, whose report will say so in a moment, or a second machine with its identity.
 * So a moved row is left alone for a second, and put back if no report has confirmed the move.
 */
import type { KernelEvent } from '../kernel/objects.ts';
import type { Clock } from '../model/clock.ts';
import type { ItemKey, Operation } from './items/item.ts';
import { OUR_LINK_GROUP } from './items/mark.ts';
import type { KernelCache } from './kernel-cache.ts';
import type { Step } from './plan.ts';

const GRACE_MS = 1_000;

/**
 * Makes the kernel look up afresh how to reach every IPv4 address. When a VXLAN's row moves, it keeps the route that
 * led to the old place (vxlan_snoop changes the address and leaves its dst_cache): to a place on another segment, packets
 * would leave by the wrong port for ever.
 */
export const FORGET_ROUTES: Operation = { do: 'sysctl', path: ['net', 'ipv4', 'route', 'flush'], value: '1' };

export class MovedRows {
  readonly #clock: Clock;
  readonly #sinceMs = new Map<ItemKey, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The steps without those that would put back a row which moved just now. */
  filter(steps: readonly Step[]): Step[] {
    const nowMs = this.#clock.nowMs();
    const moved = new Set(steps.filter(isMove).map((step) => step.key));
    for (const key of this.#sinceMs.keys()) if (!moved.has(key)) this.#sinceMs.delete(key);
    return steps.filter((step) => {
      if (!moved.has(step.key)) return true;
      const sinceMs = this.#sinceMs.get(step.key) ?? nowMs;
      this.#sinceMs.set(step.key, sinceMs);
      if (nowMs - sinceMs < GRACE_MS) return false;
      this.#sinceMs.delete(step.key);
      return true;
    });
  }

  get nextDueMs(): number | undefined {
    return this.#sinceMs.size === 0 ? undefined : Math.min(...this.#sinceMs.values()) + GRACE_MS;
  }
}

/** Whether a row of a VXLAN of ours leads elsewhere now. @param before the kernel as it was until `event` */
export function movesRow(event: KernelEvent, before: KernelCache): boolean {
  if (event.type !== 'fdb' || event.removed || event.echo || event.row.destination === undefined) return false;
  if (before.links.get(event.row.link)?.group !== OUR_LINK_GROUP) return false;
  const row = before.rowLike(event.row);
  return row !== undefined && row.destination !== event.row.destination;
}

function isMove(step: Step): boolean {
  if (step.action !== 'change' || step.item.kind !== 'fdb' || step.have.kind !== 'fdb') return false;
  return step.item.state === 'dynamic' && step.have.destination !== step.item.destination;
}
