/**
 * Which boot of its machine each host0 has last seen. libvirt starts networks once after a boot, and knows of a boot by a file in
 * /run. host0's networks are in a store that outlives boots, and so is what is known of the last one: a network that was stopped by
 * hand stays stopped when host0 alone is started anew.
 *
 * Where several machines can be host0, one that takes over for the first time finds the networks as the one before left them. That
 * is no boot: the machine may have waited for weeks.
 */
import type { NetworkId } from '../../../model/network/number.ts';
import { NetworkIdShape } from '../../../model/network/words.ts';
import * as form from '../../../protocol/shapes/form.ts';
import { Collection, jsonRecords } from '../../../store/collection.ts';
import type { Store } from '../../../store/store.ts';

interface BootRecord {
  readonly format: 1;
  /** Tells host0s that work with one store apart. */
  readonly host0: string;
  readonly boot: string;
  /** The networks that the boot has not started or stopped yet. */
  readonly open?: readonly NetworkId[];
}

/** More networks than one store has. */
const OPEN_MAX = 65_536;
const RECORD_MAX_LENGTH = 1024 * 1024;
const BOOTS = jsonRecords<BootRecord>(
  '/v1/host0-boots/',
  ({ host0 }) => host0,
  form.object({
    format: form.literal(1),
    host0: form.string({ max: 64 }),
    boot: form.string({ max: 64 }),
    open: form.exactOptional(form.listOf(NetworkIdShape, OPEN_MAX)),
  }),
  RECORD_MAX_LENGTH,
);

/** The boot of a machine, as the host0 on it knows it. */
export type BootOfHost0 = Pick<BootRecord, 'host0' | 'boot'>;

/**
 * Has all networks decided on once after each boot. The boot is remembered first, with the networks that are still open: a start of
 * host0 that comes between decides on those alone, and leaves alone what people have started or stopped meanwhile.
 * @param all the networks of now
 * @param decide decides on networks, and returns those that are to be tried again
 * @returns whether no network is open any more
 * @throws MESH_STORE_*
 */
export async function decideOnce(
  store: Store,
  { host0, boot }: BootOfHost0,
  all: readonly NetworkId[],
  decide: (open: readonly NetworkId[]) => Promise<readonly NetworkId[]>,
): Promise<boolean> {
  const collection = new Collection(store, BOOTS);
  const remember = async (open: readonly NetworkId[]) => {
    await store.txn([], [collection.put({ format: 1, host0, boot, ...(open.length > 0 && { open }) })]);
  };
  const { records } = await collection.list();
  const known = records.find(({ record }) => record.host0 === host0)?.record;
  const isNew = known === undefined ? records.length === 0 : known.boot !== boot;
  const before = isNew ? all : (known?.open ?? []);
  if (known?.boot !== boot) await remember(before);
  if (before.length === 0) return true;
  const after = await decide(before);
  if (after.length !== before.length) await remember(after);
  return after.length === 0;
}
