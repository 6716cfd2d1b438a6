/**
 * host0's entries follow their sender: a frame of a known member from another IPv4 moves the entry in the kernel at once. That
 * is either the member at its new address, whose report will say so in a moment, or a second machine with its identity.
 * So a moved entry is left alone for a second, and put back if no report has confirmed the move.
 */
import type { KernelEvent } from '../../kernel/rtnl/objects.ts';
import type { Clock } from '../../model/clock.ts';
import type { ItemKey, Operation } from '../items/item-kind.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';
import type { Step } from './plan.ts';

const GRACE_MS = 1_000;

/**
 * An entry that follows its sender keeps the route that it was used with (vxlan_snoop in vxlan_core.c leaves `dst_cache` as
 * it is, seen in Linux 6.18): where the new address is behind another port, nothing arrives there. All routes that the
 * kernel keeps in such places are looked up anew after this. One of the three changes of a kernel that are no step of a
 * plan: a flush leaves nothing that a plan could find to be so or not.
 */
export const FORGET_ROUTES: Operation = { do: 'sysctl', path: ['net', 'ipv4', 'route', 'flush'], value: '1' };

/** Whether the event says that the kernel has moved an entry by itself. @param cache as it was before the event */
export function isMovedByKernel(event: KernelEvent, cache: KernelCache): boolean {
  if (event.type !== 'fdb' || event.echo || event.removed || event.entry.table !== 'self') return false;
  const before = cache.entryAt(event.entry);
  return before !== undefined && before.remoteVtep !== event.entry.remoteVtep;
}

export class MovedEntries {
  readonly #clock: Clock;
  readonly #sinceMs = new Map<ItemKey, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The steps without those that would put back an entry which moved just now. */
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

function isMove(step: Step): boolean {
  if (step.action !== 'change' || step.item.kind !== 'fdb' || step.have.kind !== 'fdb') return false;
  return step.item.state === 'dynamic' && step.have.remoteVtep !== step.item.remoteVtep;
}
