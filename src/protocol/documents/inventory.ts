/**
 * The hardware of a node, as its agent finds it: `PUT /inventory` in a mesh, once after the agent joined and again after
 * each change. The sender's address in the mesh says which machine it is. host0 answers with 204.
 */
import type { Mac } from '../../model/address/mac.ts';

/** The hardware of one machine. Texts are the manufacturer's own: printable, at most `INVENTORY_TEXT_MAX` characters. */
export interface Inventory {
  readonly system: { readonly manufacturer?: string; readonly product?: string };
  readonly cpu: {
    readonly model?: string;
    /** CPUs that the kernel schedules on. */
    readonly threads: number;
    /** Absent where the kernel does not say. */
    readonly cores?: number;
  };
  /** Memory that the kernel can use: a little less than what is installed. */
  readonly memoryBytes: number;
  readonly disks: readonly Disk[];
  readonly nics: readonly Nic[];
}

/**
 * The body of `PUT /inventory`. `instance` is that of the node's reports (`SelfReport.instance`): host0 takes an inventory
 * from a member's agent, and from no other program on the node.
 */
export type InventoryReport = Inventory & { readonly instance: string };

/** A block device of a machine. */
export interface Disk {
  /** The kernel's name: `sda`, `nvme0n1`. */
  readonly name: string;
  readonly bytes: number;
  readonly rotates: boolean;
  readonly model?: string;
}

/** A physical network card of a machine. */
export interface Nic {
  readonly name: string;
  /** The permanent address, from the card's manufacturer. */
  readonly mac: Mac;
  readonly driver?: string;
}

/** The longest text of an inventory, in characters. The agent cuts longer texts; host0 refuses them. */
export const INVENTORY_TEXT_MAX = 128;
/** The most disks, and the most NICs, of an inventory: more are left out. */
export const INVENTORY_PARTS_MAX = 64;
/** The longest body of `PUT /inventory`: all parts with the longest texts fit. */
export const INVENTORY_MAX_BYTES = 64 * 1024;
