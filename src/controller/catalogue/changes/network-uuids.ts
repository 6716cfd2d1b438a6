/**
 * The UUIDs of networks. One that a document gives is kept with the network. All others follow from an id of this installation, which
 * is made once and stays in the store, and from the identifier of the network: they stay the same for ever, and cost no record.
 */
import { randomBytes } from 'node:crypto';
import { genid } from '../../../model/genid.ts';
import type { Network } from '../../../model/network/network.ts';
import type { NetworkId } from '../../../model/network/number.ts';
import * as form from '../../../protocol/shapes/form.ts';
import { Collection, jsonRecords } from '../../../store/collection.ts';
import type { Store } from '../../../store/store.ts';

interface InstallationRecord {
  readonly format: 1;
  readonly id: string;
}

const NAME = 'id';
const ID_BYTES = 16;
const UUID_DIGITS = 32;
const RECORD_MAX_LENGTH = 1_024;
const INSTALLATION = jsonRecords<InstallationRecord>(
  '/v1/installation/',
  () => NAME,
  form.object({ format: form.literal(1), id: form.string({ max: 64 }) }),
  RECORD_MAX_LENGTH,
);

/** Tells the UUID of each network. */
export class NetworkUuids {
  readonly #installation: string;
  readonly #derived = new Map<NetworkId, string>();
  /** The networks as they are defined, by their UUIDs. */
  readonly #byUuid = new Map<string, Network>();
  /** Under which UUID each network is found. */
  readonly #uuidOf = new Map<NetworkId, string>();

  private constructor(installation: string) {
    this.#installation = installation;
  }

  /** Reads the id of the installation, or makes it. @throws MESH_STORE_* */
  static async open(store: Store): Promise<NetworkUuids> {
    const collection = new Collection(store, INSTALLATION);
    const known = async () => (await collection.list()).records[0]?.record.id;
    const first = await known();
    if (first !== undefined) return new NetworkUuids(first);
    const id = randomBytes(ID_BYTES).toString('hex');
    const made = await store.txn([collection.at(NAME, 0)], [collection.put({ format: 1, id })]);
    // A damaged record stays for whoever looks after it: the identifiers of networks are enough then.
    return new NetworkUuids(made.succeeded ? id : ((await known()) ?? ''));
  }

  /** The UUID of a network, in lower case. */
  of({ uuid, id }: Pick<Network, 'uuid' | 'id'>): string {
    if (uuid !== undefined) return uuid;
    const known = this.#derived.get(id) ?? uuidOfDigits(genid(['uuid', this.#installation, id], UUID_DIGITS));
    this.#derived.set(id, known);
    return known;
  }

  /** The network with this UUID. */
  find(uuid: string): Network | undefined {
    return this.#byUuid.get(uuid.toLowerCase());
  }

  /** Takes all networks as they are defined. */
  takeAll(networks: readonly Network[]): void {
    this.#byUuid.clear();
    this.#uuidOf.clear();
    this.take(networks, []);
  }

  /** Takes networks whose definitions are new or others. @param gone the identifiers of those that are not there any more */
  take(changed: readonly Network[], gone: readonly NetworkId[]): void {
    for (const id of [...gone, ...changed.map((network) => network.id)]) this.#forget(id);
    for (const network of changed) {
      const uuid = this.of(network);
      this.#byUuid.set(uuid, network);
      this.#uuidOf.set(network.id, uuid);
    }
  }

  #forget(id: NetworkId): void {
    const uuid = this.#uuidOf.get(id);
    if (uuid === undefined) return;
    this.#uuidOf.delete(id);
    if (this.#byUuid.get(uuid)?.id === id) this.#byUuid.delete(uuid);
  }
}

/** A UUID of version 8 (RFC 9562): the digits are those of a hash. */
function uuidOfDigits(digits: string): string {
  const variant = ((Number.parseInt(digits.charAt(16), 16) & 0x3) | 0x8).toString(16);
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `8${digits.slice(13, 16)}`,
    variant + digits.slice(17, 20),
    digits.slice(20, 32),
  ];
  return parts.join('-');
}
