/** The shape of an inventory: printable texts, non-negative whole numbers, and bounded lists. */

import { INVENTORY_PARTS_MAX, INVENTORY_TEXT_MAX, type Inventory } from '../documents/inventory.ts';
import * as form from './form.ts';
import { MacShape } from './parts.ts';

const Text = form.string({ pattern: /^[\x20-\x7e]+$/, max: INVENTORY_TEXT_MAX });
const Count = form.int(0);

/** Reads an inventory, from a request or from the store; unknown fields are dropped. */
export const InventoryShape: form.Shape<Inventory> = form.object({
  system: form.object({ manufacturer: form.exactOptional(Text), product: form.exactOptional(Text) }),
  cpu: form.object({ model: form.exactOptional(Text), threads: Count, cores: form.exactOptional(Count) }),
  memoryBytes: Count,
  disks: form.listOf(
    form.object({ name: Text, bytes: Count, rotates: form.boolean(), model: form.exactOptional(Text) }),
    INVENTORY_PARTS_MAX,
  ),
  nics: form.listOf(form.object({ name: Text, mac: MacShape, driver: form.exactOptional(Text) }), INVENTORY_PARTS_MAX),
});
