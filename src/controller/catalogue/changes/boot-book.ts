/**
 * Which boot of its machine each host0 has last seen. libvirt starts networks once after a boot, and knows of a boot by a file in
 * /run. host0's networks are in a store that outlives boots, and so is what is known of the last one: a network that was stopped by
 * hand stays stopped when host0 alone is started anew.
 *
 * Where several machines can be host0, one that takes over for the first time finds the networks as the one before left them. That
 * is no boot: the machine may have waited for weeks.
 */
import * as form from '../../../protocol/shapes/form.ts';
import { Collection, jsonRecords } from '../../../store/collection.ts';
import type { Store } from '../../../store/store.ts';

interface BootRecord {
  readonly format: 1;
  /** Tells host0s that work with one store apart. */
  readonly host0: string;
  readonly boot: string;
}

const RECORD_MAX_LENGTH = 1_024;
const BOOTS = jsonRecords<BootRecord>(
  '/v1/boots/',
  ({ host0 }) => host0,
  form.object({ format: form.literal(1), host0: form.string({ max: 64 }), boot: form.string({ max: 64 }) }),
  RECORD_MAX_LENGTH,
);

/** The boot of a machine, as the host0 on it knows it. */
export type BootOfHost0 = Pick<BootRecord, 'host0' | 'boot'>;

/** What is new of a boot. */
export interface BootNews {
  /** Whether the machine has booted since this host0 last worked with the store. */
  readonly isNew: boolean;
  /** Remembers the boot. @throws MESH_STORE_* */
  remember(): Promise<void>;
}

/** Compares the boot with the last one that is known. @throws MESH_STORE_* */
export async function bootNews(store: Store, { host0, boot }: BootOfHost0): Promise<BootNews> {
  const collection = new Collection(store, BOOTS);
  const { records } = await collection.list();
  const known = records.find(({ record }) => record.host0 === host0)?.record.boot;
  return {
    isNew: known === undefined ? records.length === 0 : known !== boot,
    remember: async () => {
      if (known !== boot) await store.txn([], [collection.put({ format: 1, host0, boot })]);
    },
  };
}
