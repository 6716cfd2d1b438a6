/**
 * Makes the rules forget the senders of VXLAN packets when a way changes. The rules look up the route to a sender once in five
 * seconds, and in between take the sender's packets by the same NIC (`sender-rules.ts`).
 */
import type { KernelEvent } from '../../kernel/rtnl/objects.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { ItemMap } from '../items/item.ts';
import { forgetting, rulesetKey } from '../items/ruleset.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';

/** A routing daemon changes many routes at once. */
const COALESCE_MS = 20;

/** What the forgetting needs of an agent. */
export interface RememberedSendersInput {
  readonly kernel: Pick<KernelPort, 'apply'> & { readonly events: Subscribable<KernelEvent> };
  readonly clock: Clock;
  /** The desired items of the last pass. */
  readonly desired: () => ItemMap;
}

/**
 * Follows the kernel's events. The forgetting is no step of a plan, like the flush of cached routes (`FORGET_ROUTES`): an emptied
 * set leaves no state that a plan could compare. Routes in tables that the agent does not read count after the five seconds.
 */
export class RememberedSenders {
  readonly #input: RememberedSendersInput;
  #soon: Alarm | undefined;

  constructor(input: RememberedSendersInput) {
    this.#input = input;
    input.kernel.events.subscribe((event) => {
      if (!changesWays(event)) return;
      this.#soon ??= input.clock.after(COALESCE_MS, () => {
        this.#soon = undefined;
        void this.#forget();
      });
    });
  }

  /** Never rejects. Where the kernel refuses it, the elements go by themselves. */
  async #forget(): Promise<void> {
    const item = this.#input.desired().get(rulesetKey('inet'));
    const operation = item?.kind === 'ruleset' ? forgetting(item) : undefined;
    if (operation !== undefined) await this.#input.kernel.apply([operation]).catch(() => undefined);
  }

  /** Forgets nothing any more. */
  stop(): void {
    this.#soon?.cancel();
  }
}

/** Whether packets of a sender may come in by another NIC from now on. The kernel removes the routes of a link that goes down. */
function changesWays(event: KernelEvent): boolean {
  switch (event.type) {
    case 'route':
    case 'rule':
    case 'address':
    case 'overflow':
      return true;
    case 'link':
      return event.removed || !event.link.up;
    default:
      return false;
  }
}
