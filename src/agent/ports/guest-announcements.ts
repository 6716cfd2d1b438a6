/**
 * Announces the guests that have come to this node, so that nodes which learn send to them here at once. An emulator announces its guest
 * only after a migration.
 */

import type { Ip } from '../../kernel/ip.ts';
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Link } from '../../kernel/rtnl/objects.ts';
import { linkLocalOf } from '../../kernel/sockets/neighbour-frame.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Network } from '../../model/network/network.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { TapPort } from './guest-ports.ts';

/** What the announcements need of the agent. */
export interface GuestAnnouncementsInput {
  readonly journal: Journal;
  readonly networks: { readonly taps: readonly TapPort[]; readonly all: readonly Network[] };
  readonly reconciler: { readonly cache: KernelTables; readonly passes: Subscribable<unknown> };
  /** Sends the announcement of each address out of a device. @throws MESH_KERNEL_REFUSED */
  readonly announce: (through: Link, mac: Mac, addresses: readonly Ip[]) => void;
}

/** Looks after each pass which taps a guest has opened since. */
export class GuestAnnouncements {
  readonly #input: GuestAnnouncementsInput;
  /** The taps that had a guest after the last pass. */
  #bound: ReadonlySet<string> = new Set();

  constructor(input: GuestAnnouncementsInput) {
    this.#input = input;
    input.reconciler.passes.subscribe(() => this.#look());
  }

  #look(): void {
    const { networks, reconciler } = this.#input;
    const { cache } = reconciler;
    const bound = networks.taps.filter(({ link }) => cache.linkNamed(link)?.running === true);
    for (const port of bound) if (!this.#bound.has(port.link)) this.#announce(port, cache);
    this.#bound = new Set(bound.map(({ link }) => link));
  }

  #announce({ network: id, mac, addresses = [], link }: TapPort, cache: KernelTables): void {
    const type = this.#input.networks.all.find((network) => network.id === id)?.type;
    const device = type?.kind === 'vxlan' ? cache.linkNamed(type.device) : undefined;
    if (device === undefined || mac === undefined) return;
    try {
      this.#input.announce(device, mac, [linkLocalOf(mac), ...addresses]);
    } catch (thrown) {
      this.#input.journal.faults.tell(`announcement of the guest of ${link}`, thrown);
    }
  }
}
