/** The shape of an inventory in a request: printable texts, non-negative whole numbers, and bounded lists. */
import { z } from 'zod';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { INVENTORY_PARTS_MAX, INVENTORY_TEXT_MAX, type Inventory } from '../../protocol/documents/inventory.ts';

const text = z
  .string()
  .regex(/^[\x20-\x7e]+$/, 'is not printable')
  .max(INVENTORY_TEXT_MAX);
const count = z.int().nonnegative();
const mac = z.string().transform((value): Mac => parseMac(value));

/** An inventory; unknown fields are dropped. */
export const InventoryShape: z.ZodType<Inventory> = z.object({
  system: z.object({ manufacturer: text.exactOptional(), product: text.exactOptional() }),
  cpu: z.object({ model: text.exactOptional(), threads: count, cores: count.exactOptional() }),
  memoryBytes: count,
  disks: z
    .array(z.object({ name: text, bytes: count, rotates: z.boolean(), model: text.exactOptional() }))
    .max(INVENTORY_PARTS_MAX),
  nics: z.array(z.object({ name: text, mac, driver: text.exactOptional() })).max(INVENTORY_PARTS_MAX),
});
