/** What is not well with the store in etcd, for the findings of host0. */
import { MeshError } from '../../model/error.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { TimedStore } from '../timed-store.ts';
import type { EtcdStore } from './etcd-store.ts';

/** A finding while transactions fail, while etcd cannot be followed, and when the store was replaced. */
export class EtcdWatch implements HealthSource {
  readonly #etcd: EtcdStore;
  readonly #store: TimedStore;

  /** @param store the same store, as the rest of host0 uses it */
  constructor(etcd: EtcdStore, store: TimedStore) {
    this.#etcd = etcd;
    this.#store = store;
  }

  health(): readonly Finding[] {
    const { replaced } = this.#etcd;
    const trouble = replaced === undefined ? this.#trouble : restored(replaced);
    return trouble === undefined ? [] : [findingOf(trouble, { object: 'etcd' })];
  }

  get #trouble(): MeshError | undefined {
    const { stuck, refusal } = this.#store;
    if (refusal !== undefined || this.#etcd.trouble !== undefined) return refusal ?? this.#etcd.trouble;
    return stuck === undefined ? undefined : new MeshError('MESH_STORE_BROKEN', stuck);
  }
}

function restored(message: string): MeshError {
  return new MeshError('MESH_STORE_BROKEN', message, { remedy: "Restart host0's daemon." });
}
