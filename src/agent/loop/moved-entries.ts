/**
 * FDB entries that the kernel has moved to another remote VTEP. host0's entries follow their sender: a frame of a known
 * member from another IPv4 address moves the entry at once. Either the member has that address now, and its report will
 * say so in a moment, or a second machine uses its identity. So a moved entry is left alone for a second, and put back
 * if no report has confirmed the move.
 */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { KernelEvent } from '../../kernel/rtnl/objects.ts';
import type { Clock } from '../../model/clock.ts';
import type { ItemKey, Operation } from '../items/item-kind.ts';
import type { Step } from './plan.ts';

/** How long a moved entry is left alone. */
const GRACE_MS = 1_000;

/**
 * Makes the kernel look up all cached routes again. A moved entry keeps the cached route of its old remote VTEP
 * (vxlan_snoop in vxlan_core.c leaves `dst_cache` as it is, seen in Linux 6.18). If the new address is behind another
 * NIC, packets do not arrive there. This is one of four changes to a kernel that are no step of a plan: a flush leaves
 * no state that a plan could compare.
 */
export const FORGET_ROUTES: Operation = { do: 'sysctl', path: ['net', 'ipv4', 'route', 'flush'], value: '1' };

/** Whether the event says that the kernel itself has moved an entry. @param cache as it was before the event */
export function isMovedByKernel(event: KernelEvent, cache: KernelTables): boolean {
  if (event.type !== 'fdb' || event.echo || event.removed || event.entry.table !== 'self') return false;
  const before = cache.entryAt(event.entry);
  return before !== undefined && before.remoteVtep !== event.entry.remoteVtep;
}

/** Since when each moved entry has differed from the desired one. */
export class MovedEntries {
  readonly #clock: Clock;
  readonly #sinceMs = new Map<ItemKey, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The steps without those that would put back an entry that has moved within the last second. */
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

  /** When the first of the moved entries may be put back; undefined when there is none. */
  get nextDueMs(): number | undefined {
    return this.#sinceMs.size === 0 ? undefined : Math.min(...this.#sinceMs.values()) + GRACE_MS;
  }
}

function isMove(step: Step): boolean {
  if (step.action !== 'change' || step.item.kind !== 'fdb' || step.have.kind !== 'fdb') return false;
  return step.item.state === 'dynamic' && step.have.remoteVtep !== step.item.remoteVtep;
}
