/** Takes IPv4 addresses back from virtual machines that are gone. */

import type { Subscribable } from '../../model/signal.ts';
import type { HealthSource } from '../../protocol/documents/finding.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { PortBook } from '../ports/port-book.ts';
import type { AddressMaps } from './address-maps.ts';

/** Who is looked at. */
export interface LostMapsInput {
  readonly maps: Pick<AddressMaps, 'dropLost' | 'list'>;
  readonly ports: Pick<PortBook, 'changes'>;
  /** The books of ports and of machines. */
  readonly books: readonly HealthSource[];
  /** Emits when a machine may be gone. Absent: no machine goes without a port. */
  readonly machines?: Subscribable<unknown>;
  readonly journal: Pick<Journal, 'record' | 'failure'>;
}

/** Looks now, and whenever a port or a machine is removed. @returns a function that stops that */
export function dropLostMaps({ maps, ports, books, machines, journal }: LostMapsInput): () => void {
  const look = async (): Promise<void> => {
    // A document that cannot be read may be that of a machine with an address: nothing goes by a fault.
    if (books.some((book) => book.health().length > 0)) return;
    for (const { vm, ipv4 } of await maps.dropLost()) {
      const message = `${ipv4} of ${vm}, which is gone from its network`;
      journal.record({ kind: 'address taken back', message, object: vm });
    }
  };
  const tried = () => void look().catch((thrown: unknown) => journal.failure('addresses not taken back', thrown));
  tried();
  const ends = [
    ports.changes.subscribe(({ after }) => {
      if (after === undefined) tried();
    }),
    // A machine whose network is stopped may have lost its ports before.
    machines?.subscribe(() => {
      if (maps.list().length > 0) tried();
    }),
  ];
  return () => {
    for (const end of ends) end?.();
  };
}
