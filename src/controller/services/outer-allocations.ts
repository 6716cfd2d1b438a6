/**
 * Addresses outside in the address book. An address that a pool of single IPv4 addresses has is allocated there to the machine that it
 * leads to, or to the router that has it, before a document of a service names it; after it has left the documents, it rests. The
 * documents say who has what: what is missing in the book, because a pool is newer for example, is taken up.
 */
import { isIpv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import { genid } from '../../model/genid.ts';
import type { AddressHolder, Allocation } from '../../model/ipam/allocation.ts';
import { hexNumber } from '../../model/network/number.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { AddressBook } from '../ipam/address-book.ts';
import { blockTaken } from '../ipam/ipam-error.ts';
import type { KeyedMutex } from '../membership/keyed-mutex.ts';
import { type OuterAddress, outerAddresses } from './outer-addresses.ts';
import type { ServiceBook } from './service-book.ts';

/** What is kept in step. */
export interface OuterAllocationsInput {
  readonly book: AddressBook;
  readonly services: Pick<ServiceBook, 'records' | 'isWhole' | 'changes'>;
  readonly journal: Pick<Journal, 'failure'>;
  /** Where changes of addresses outside wait for each other. */
  readonly turns: KeyedMutex<'maps'>;
}

/** What the ids of these allocations begin with. */
const PREFIX = 'outer-';
const ID_HEX = 12;

/** Keeps the book in step with the documents. */
export class OuterAllocations implements HealthSource {
  readonly #input: OuterAllocationsInput;
  readonly #ends: readonly (() => void)[];
  #faults: ReadonlyMap<string, MeshError> = new Map();
  #working: Promise<void> = Promise.resolve();
  #isDue = false;

  constructor(input: OuterAllocationsInput) {
    this.#input = input;
    const look = () => this.#look();
    this.#ends = [input.services.changes.subscribe(look), input.book.pools.changes.subscribe(look)];
    look();
  }

  /** Whether nobody else has an address, and it does not rest after another holder. */
  isFree(outer: OuterAddress): boolean {
    const known = this.#known(outer);
    return known === undefined || isOf(known, outer);
  }

  /** Takes an address for its holder, if a pool has it. @throws MESH_IPAM_TAKEN, MESH_IPAM_ALLOCATOR_*, MESH_STORE_* */
  async take(outer: OuterAddress): Promise<void> {
    const { book } = this.#input;
    const { address } = outer;
    const grants = this.#grants(outer);
    if (grants === undefined) return;
    const known = grants.of(address);
    const holder = holderOfOuter(outer);
    if (known === undefined) {
      const id = `${PREFIX}${genid([holder.kind, holder.id, address], ID_HEX)}`;
      await book.allocate({ id, pool: grants.definition.name, value: address, holder });
      return;
    }
    if (!isOf(known, outer)) throw blockTaken(known, book.restsMs(known));
    if (known.state !== 'allocated') await book.pools.write([book.confirm(known, holder).move], []);
  }

  /** Addresses of documents that the book gives to others. */
  health(): readonly Finding[] {
    return Array.from(this.#faults, ([address, { message }]) => ({
      ...({ code: 'MESH_IPAM_DRIFT', severity: 'error', object: address, message } as const),
      remedy: `See \`mesh ipam list\` and \`mesh address list\`; release the one that is not used: \`mesh ipam release ${address}\`.`,
    }));
  }

  /** Resolves when all that is due has been done. */
  get settled(): Promise<void> {
    return this.#working;
  }

  close(): void {
    for (const end of this.#ends) end();
  }

  #look(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    const { turns, journal } = this.#input;
    this.#working = this.#working
      .then(() =>
        turns.take('maps', () => {
          this.#isDue = false;
          return this.#settle();
        }),
      )
      .catch((thrown: unknown) => journal.failure('addresses outside not kept', thrown));
  }

  async #settle(): Promise<void> {
    const { book, services } = this.#input;
    // A document that cannot be read may be the one that names an address: nothing goes by a fault.
    if (!services.isWhole) return;
    const wanted = outerAddresses(services.records).filter(({ address }) => isIpv4(address));
    const faults = new Map<string, MeshError>();
    for (const outer of wanted) {
      try {
        await this.take(outer);
      } catch (thrown) {
        faults.set(outer.address, MeshError.from(thrown));
      }
    }
    this.#faults = faults;
    for (const allocation of book.list()) {
      const { id, state } = allocation;
      if (!id.startsWith(PREFIX) || state === 'resting') continue;
      if (!wanted.some((outer) => outer.address === allocation.value && isOf(allocation, outer)))
        await book.release(id);
    }
  }

  #known(outer: OuterAddress): Allocation | undefined {
    return this.#grants(outer)?.of(outer.address);
  }

  #grants({ address }: OuterAddress) {
    const grants = isIpv4(address) ? this.#input.book.pools.having(address) : undefined;
    return grants?.definition.kind === 'ipv4-address' ? grants : undefined;
  }
}

function isOf({ holder }: Allocation, outer: OuterAddress): boolean {
  const wanted = holderOfOuter(outer);
  return holder.kind === wanted.kind && holder.id === wanted.id;
}

/** A router is that of a network, whatever its name becomes. */
function holderOfOuter({ vm, network }: OuterAddress): AddressHolder {
  return vm === undefined ? { kind: 'operator', id: `router-${hexNumber(network)}` } : { kind: 'workload', id: vm };
}
