/** The shape of an inventory: printable texts, non-negative whole numbers, and bounded lists. */

import { INVENTORY_PARTS_MAX, INVENTORY_TEXT_MAX, type Inventory } from '../documents/inventory.ts';
import * as form from './form.ts';
import { MacShape } from './parts.ts';

const Text = form.string({ pattern: /^[\x20-\x7e]+$/, max: INVENTORY_TEXT_MAX });
const Count = form.int(0);

const PARTS = {
  system: form.object({ manufacturer: form.exactOptional(Text), product: form.exactOptional(Text) }),
  cpu: form.object({ model: form.exactOptional(Text), threads: Count, cores: form.exactOptional(Count) }),
  memoryBytes: Count,
  disks: form.listOf(
    form.object({ name: Text, bytes: Count, rotates: form.boolean(), model: form.exactOptional(Text) }),
    INVENTORY_PARTS_MAX,
  ),
  nics: form.listOf(form.object({ name: Text, mac: MacShape, driver: form.exactOptional(Text) }), INVENTORY_PARTS_MAX),
};
/** Reads an inventory, from a request or from the store; unknown fields are dropped. */
export const InventoryShape: form.Shape<Inventory> = form.object(PARTS);

/** An inventory as an agent sends it. Agents of before do not give their instance with it, and then are not believed. */
export const SentInventoryShape: form.Shape<Inventory & { readonly instance?: string }> = form.object({
  ...PARTS,
  instance: form.exactOptional(form.string({ pattern: /^[0-9A-Za-z-]{1,64}$/ })),
});
