/** What follows from the links of a machine and their addresses. It is derived again when these change. */
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { isNftName } from '../items/nft-text.ts';
import { type AdministeredForwarding, administeredForwarding } from './administered-forwarding.ts';
import type { BorrowedSettings } from './borrowed-settings.ts';
import { type ForeignLink, foreignLinks } from './foreign-links.ts';
import { type OnLinkSubnet, sharedSubnets } from './shared-subnets.ts';

interface Derived {
  readonly cache: KernelTables;
  readonly linksRevision: number;
  readonly addressesRevision: number;
  readonly onLink: readonly OnLinkSubnet[];
  readonly foreignLinks: readonly ForeignLink[];
}

/** The last view of one machine. */
export class LinkView {
  readonly #settings: BorrowedSettings;
  #derived: Derived | undefined;

  constructor(settings: BorrowedSettings) {
    this.#settings = settings;
  }

  /** The parts of the planner's input. A NIC whose name rules cannot hold has no shared subnets. */
  of(
    cache: KernelTables,
  ): Pick<Derived, 'onLink' | 'foreignLinks'> & { readonly administered: AdministeredForwarding } {
    const { linksRevision, addressesRevision } = cache;
    const known = this.#derived;
    const isSame = known?.cache === cache && known.linksRevision === linksRevision;
    const now =
      isSame && known.addressesRevision === addressesRevision
        ? known
        : {
            ...{ cache, linksRevision, addressesRevision },
            onLink: sharedSubnets(cache).filter(({ device }) => isNftName(device)),
            foreignLinks: foreignLinks(cache),
          };
    this.#derived = now;
    const administered = administeredForwarding(cache, now.foreignLinks, this.#settings);
    return { onLink: now.onLink, foreignLinks: now.foreignLinks, administered };
  }
}
