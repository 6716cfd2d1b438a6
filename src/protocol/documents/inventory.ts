/**
 * What a node is made of, as its agent finds it: `PUT /inventory` in a mesh, once after the agent joined and again when it
 * is another. Whose it is, the sender's address in the mesh says. Answered with 204.
 */
import type { Mac } from '../../model/address/mac.ts';

/** Texts are the maker's own, printable, at most `INVENTORY_TEXT_MAX` characters. */
export interface Inventory {
  readonly system: { readonly manufacturer?: string; readonly product?: string };
  readonly cpu: {
    readonly model?: string;
    /** Those that the kernel schedules on. */
    readonly threads: number;
    /** Absent where the kernel does not say. */
    readonly cores?: number;
  };
  /** What the kernel can use, a little less than what is plugged in. */
  readonly memoryBytes: number;
  readonly disks: readonly Disk[];
  readonly nics: readonly Nic[];
}

export interface Disk {
  /** The kernel's name: `sda`, `nvme0n1`. */
  readonly name: string;
  readonly bytes: number;
  readonly rotates: boolean;
  readonly model?: string;
}

export interface Nic {
  readonly name: string;
  /** The one that its maker gave it. */
  readonly mac: Mac;
  readonly driver?: string;
}

export const INVENTORY_TEXT_MAX = 128;
/** Of disks, and of network cards: more are left out. */
export const INVENTORY_PARTS_MAX = 64;
/** The longest body: all parts with the longest texts fit. */
export const INVENTORY_MAX_BYTES = 64 * 1024;
