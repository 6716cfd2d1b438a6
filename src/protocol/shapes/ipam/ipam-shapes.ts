/** The forms of what host0 tells of address pools and allocations. */
import { AddressPoolShape, POOL_KINDS } from '../../../model/ipam/address-pool.ts';
import {
  AddressHolderShape,
  ALLOCATION_STATES,
  AllocationIdShape,
  BlockShape,
} from '../../../model/ipam/allocation.ts';
import { NameShape } from '../../../model/network/words.ts';
import type { AddressPoolView, AllocationOrder, AllocationView } from '../../documents/ipam/ipam-view.ts';
import * as form from '../form.ts';

/** The form of a pool with its use. */
export const AddressPoolViewShape: form.Shape<AddressPoolView> = form.object({
  pool: AddressPoolShape,
  blocks: form.int(0),
  reserved: form.int(0),
  allocated: form.int(0),
  resting: form.int(0),
  usedPercent: form.number(),
});

/** The form of an allocation as host0 tells it. */
export const AllocationViewShape: form.Shape<AllocationView> = form.object({
  id: AllocationIdShape,
  pool: NameShape,
  value: form.exactOptional(BlockShape),
  holder: AddressHolderShape,
  state: form.oneOf(ALLOCATION_STATES),
  network: form.exactOptional(form.string({ max: 100 })),
  restsSec: form.exactOptional(form.int(0)),
});

/** The form of a wish for a block. */
export const AllocationOrderShape: form.Shape<AllocationOrder> = form.object({
  id: form.exactOptional(AllocationIdShape),
  pool: form.exactOptional(form.string({ max: 100 })),
  kind: form.exactOptional(form.oneOf(POOL_KINDS)),
  value: form.exactOptional(form.string({ max: 64 })),
  network: form.exactOptional(form.string({ max: 100 })),
  holder: form.exactOptional(AddressHolderShape),
});
