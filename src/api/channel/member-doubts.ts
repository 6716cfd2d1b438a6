/** Members whose packets host0's kernel may see come from elsewhere than before, because the kernel has told of their addresses. */
import type { KernelEvent } from '../../kernel/rtnl/objects.ts';
import type { MemberAddresses } from '../../model/network/member.ts';

/** Tells those who watch a member. A member has one watcher: the channel of its machine. */
export class MemberDoubts {
  /** By the IPv6 and by the Ethernet address of the member. */
  readonly #watchers = new Map<string, () => void>();

  /** How many members are watched. */
  get size(): number {
    return this.#watchers.size / 2;
  }

  /** Calls `doubt` with each event about the member, which mostly has not moved. @returns a function that ends the watch */
  watch({ ipv6, bridgeMac }: MemberAddresses, doubt: () => void): () => void {
    const keys = [ipv6, bridgeMac];
    for (const key of keys) this.#watchers.set(key, doubt);
    return () => {
      for (const key of keys) if (this.#watchers.get(key) === doubt) this.#watchers.delete(key);
    };
  }

  take(event: KernelEvent): void {
    if (event.type === 'neighbour') this.#watchers.get(event.neighbour.address)?.();
    else if (event.type === 'fdb') this.#watchers.get(event.entry.mac)?.();
    else if (event.type === 'overflow') for (const doubt of this.#watchers.values()) doubt();
  }
}
