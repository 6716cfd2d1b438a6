/** The services of networks as the store has them, in memory, and what each node is given of them. */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { ServiceKind } from '../../model/network/services/network-service.ts';
import { ROUTER_ROLE } from '../../model/network/services/service-nodes.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { AssignedService, KnownService } from '../../protocol/documents/service/assigned-service.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { Collection } from '../../store/collection.ts';
import { RecordTable } from '../../store/record-table.ts';
import type { Store } from '../../store/store.ts';
import type { GivenServices } from '../assignments/given-services.ts';
import type { SpannedNode } from '../assignments/network-span.ts';
import { assignedService } from './assigned-services.ts';
import type { NamedGuest } from './guest-names.ts';
import { SERVICE_RECORDS, type ServiceRecord, serviceRecordName } from './service-record.ts';

/** What the book reads. */
export interface ServiceBookInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  /** The networks that nodes can be given. An unchanged network is the same object as before. */
  readonly networks: () => readonly Network[];
  /** The router of a network that has what exists once. Absent: there is none. */
  readonly activeOf?: (network: Network['number']) => MachineWord | undefined;
  /** The guests of a network, the same object while they are the same. Absent: none are known. */
  readonly guestsOf?: (network: NetworkId) => readonly NamedGuest[];
}

interface Composed {
  /** The objects that it was composed of. */
  readonly from: readonly unknown[];
  readonly service: KnownService;
}

/** Keeps the records. */
export class ServiceBook implements GivenServices, HealthSource {
  readonly #collection: Collection<ServiceRecord>;
  readonly #table: RecordTable<ServiceRecord>;
  readonly #input: ServiceBookInput;
  readonly #changes = new Signal<void>();
  /** Emits when a record has changed, and when all were read. */
  readonly changes: Subscribable<void> = this.#changes;
  /** What was composed of a record and its network, until one of them is another. */
  readonly #composed = new WeakMap<ServiceRecord, Composed>();

  private constructor(input: ServiceBookInput) {
    const { store, clock, journal } = input;
    this.#input = input;
    this.#collection = new Collection(store, SERVICE_RECORDS);
    this.#table = new RecordTable({
      collection: this.#collection,
      clock,
      onChange: () => this.#changes.emit(),
      onLoad: async () => this.#changes.emit(),
      onFailure: (error) => journal.failure('services unreadable', error),
    });
  }

  /** Reads the services, and keeps trying. */
  static async open(input: ServiceBookInput): Promise<ServiceBook> {
    const book = new ServiceBook(input);
    await book.#table.start();
    return book;
  }

  /** Has nodes told again: another router is the active one of a network. */
  routersChanged(): void {
    this.#changes.emit();
  }

  /** Has nodes told again: a network has other guests. */
  guestsChanged(network: NetworkId): void {
    const served = this.#input.networks().find(({ id }) => id === network);
    if (served !== undefined && this.of(served).some(needsGuests)) this.#changes.emit();
  }

  /** The guests of a network that host0 knows. */
  guestsOf({ id }: Pick<Network, 'id'>): readonly NamedGuest[] {
    return this.#input.guestsOf?.(id) ?? [];
  }

  get revision(): number {
    return this.#table.revision;
  }

  /** All services, also those that are being removed. */
  get records(): readonly ServiceRecord[] {
    return [...this.#table.records];
  }

  /** The services of a network, in the order of their kinds. */
  of({ number }: Pick<Network, 'number'>): readonly ServiceRecord[] {
    return this.records.filter(({ network }) => network === number);
  }

  /** Whether services of a network may be missing here: the store was not read, or has a document that is not a record. */
  isUnread({ number }: Pick<Network, 'number'>): boolean {
    const place = serviceRecordName(number, '');
    return !this.#table.loaded || [...this.#table.spoilt].some((name) => name.startsWith(place));
  }

  /** Whether all services are known: the store was read, and has no document that is not a record. */
  get isWhole(): boolean {
    return this.#table.loaded && this.#table.spoilt.size === 0;
  }

  /** A service of a network; undefined if there is none. */
  find({ number }: Pick<Network, 'number'>, kind: ServiceKind): ServiceRecord | undefined {
    return this.#table.get(serviceRecordName(number, kind));
  }

  /** Writes a service over the one that the book shows. @throws MESH_STORE_* */
  put(record: ServiceRecord): Promise<void> {
    return this.#table.put(record);
  }

  /** Writes a service as `put` does, and also over a document that cannot be read. @throws MESH_STORE_* */
  replace(record: ServiceRecord): Promise<void> {
    return this.#table.replace(record);
  }

  /** Removes the record of a service. @throws MESH_STORE_* */
  forget({ network, service }: ServiceRecord): Promise<void> {
    return this.#table.remove(serviceRecordName(network, service.kind));
  }

  has({ number }: Pick<Network, 'number'>): boolean {
    return this.#table.records.some(({ network }) => network === number);
  }

  servedBy(node: SpannedNode): readonly NetworkId[] {
    const served = new Set(this.records.filter((record) => serves(record, node)).map(({ network }) => network));
    if (served.size === 0) return [];
    return this.#input.networks().flatMap(({ id, number }) => (served.has(number) ? [id] : []));
  }

  on(network: Network, node: SpannedNode): readonly AssignedService[] {
    const all = this.of(network);
    return all.filter((record) => serves(record, node)).map((record) => this.assigned(network, record, all));
  }

  /**
   * What the nodes that serve are given of a service. The same object until the service, another one or their network is another.
   * @param all the services of the network
   */
  assigned(network: Network, record: ServiceRecord, all: readonly ServiceRecord[] = this.of(network)): KnownService {
    const known = this.#composed.get(record);
    const active = this.#input.activeOf?.(network.number);
    const { guestsOf } = this.#input;
    const guests = needsGuests(record) ? guestsOf?.(network.id) : undefined;
    const others = all.filter(({ removing }) => removing !== true);
    const from = [network, active, guests, ...others];
    if (known?.from.length === from.length && known.from.every((one, index) => one === from[index]))
      return known.service;
    const around = { services: others.map(({ service }) => service), guests: guests ?? [] };
    const service = assignedService(network, record, active, around);
    this.#composed.set(record, { from, service });
    return service;
  }

  /** Documents that cannot be read: written by hand, damaged, or of a later version. */
  health(): readonly Finding[] {
    return Array.from(this.#table.spoilt, (name) => {
      const key = this.#collection.keyOf(name);
      const error = new MeshError('MESH_STATE_DAMAGED', `the document of a service cannot be read: ${key}`, {
        remedy: 'Set the service again: `mesh network service set NETWORK KIND`.',
      });
      return findingOf(error, { object: key, severity: 'error' });
    });
  }

  close(): void {
    this.#table.close();
  }
}

/** Whether a service tells of guests. */
function needsGuests({ service: { kind } }: ServiceRecord): boolean {
  return kind === 'dhcp4' || kind === 'dhcp6' || kind === 'dns';
}

/** Whether a node serves: it is named, or it has the role of a router where no node is named. */
export function serves(
  { service: { nodes } }: Pick<ServiceRecord, 'service'>,
  { name, machine, roles }: SpannedNode,
): boolean {
  if (nodes === undefined) return roles.includes(ROUTER_ROLE);
  return nodes.some((node) => node === name || node === machine);
}
