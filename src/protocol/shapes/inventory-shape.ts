/** The shape of an inventory: printable texts, non-negative whole numbers, and bounded lists. */
import * as z from 'zod/mini';
import { INVENTORY_PARTS_MAX, INVENTORY_TEXT_MAX, type Inventory } from '../documents/inventory.ts';
import { listOf, type Shape } from './document.ts';
import { MacShape } from './parts.ts';

const Text = z.string().check(z.regex(/^[\x20-\x7e]+$/), z.maxLength(INVENTORY_TEXT_MAX));
const Count = z.int().check(z.minimum(0));

/** Reads an inventory, from a request or from the store; unknown fields are dropped. */
export const InventoryShape: Shape<Inventory> = z.object({
  system: z.object({ manufacturer: z.exactOptional(Text), product: z.exactOptional(Text) }),
  cpu: z.object({ model: z.exactOptional(Text), threads: Count, cores: z.exactOptional(Count) }),
  memoryBytes: Count,
  disks: listOf(
    z.object({ name: Text, bytes: Count, rotates: z.boolean(), model: z.exactOptional(Text) }),
    INVENTORY_PARTS_MAX,
  ),
  nics: listOf(z.object({ name: Text, mac: MacShape, driver: z.exactOptional(Text) }), INVENTORY_PARTS_MAX),
});
