/**
 * Sends this machine's hardware inventory to host0: once after the node has joined, and again when the hardware has
 * changed.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Alarm, Clock } from '../../model/clock.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { Inventory, InventoryReport } from '../../protocol/documents/inventory.ts';
import { MEMBERSHIP_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Transport } from './transport.ts';

/** What an inventory notice needs. */
export interface InventoryNoticeInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly transport: Transport;
  /** The instance in this node's reports. */
  readonly instance: string;
  /** Reads the present inventory. May throw: the notice then tries again later. */
  readonly read: () => Inventory;
}

const TIMEOUT_MS = { connect: 1_000, answer: 5_000 } as const;
/** Nothing waits for the inventory, so this need not be fast. */
const RETRY_MS = 5_000;
/** Link changes come in bursts. */
const SETTLE_MS = 2_000;
/** The agent gets no event when a disk is plugged in. */
const LOOK_MS = 10 * 60_000;

/** Compares the inventory with the one that host0 has, and sends changes. The owner calls `joined` and `lookSoon`. */
export class InventoryNotice {
  readonly #input: InventoryNoticeInput;
  /** The network in which host0 last accepted this node; undefined before that. */
  #network: Mesh | undefined;
  /** The inventory that host0 has; undefined if it may have none. */
  #told: Inventory | undefined;
  #alarm: Alarm | undefined;
  #dueMs = Infinity;
  #telling = false;
  /** A look was asked for while one was under way. */
  #again = false;

  constructor(input: InventoryNoticeInput) {
    this.#input = input;
  }

  /** Call when host0 has made this node a member. host0 may have been replaced, so the inventory is sent again. */
  joined(network: Mesh): void {
    this.#network = network;
    this.#told = undefined;
    this.#lookIn(0);
  }

  /** Call when the machine's network links may have changed. Does nothing before `joined`. */
  lookSoon(): void {
    if (this.#network !== undefined) this.#lookIn(SETTLE_MS);
  }

  close(): void {
    this.#network = undefined;
    this.#alarm?.cancel();
  }

  /** Of two looks, the sooner one is kept: otherwise a steady flow of events would put the look off for ever. */
  #lookIn(delayMs: number): void {
    if (this.#telling) this.#again = true;
    const { clock } = this.#input;
    const dueMs = clock.nowMs() + delayMs;
    if (dueMs >= this.#dueMs) return;
    this.#alarm?.cancel();
    this.#dueMs = dueMs;
    this.#alarm = clock.after(delayMs, () => {
      this.#dueMs = Infinity;
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    const network = this.#network;
    if (network === undefined || this.#telling) return;
    this.#telling = true;
    this.#again = false;
    const done = await this.#tell(network).finally(() => {
      this.#telling = false;
    });
    if (this.#network === undefined) return;
    // host0 may have been replaced meanwhile, so the last answer proves nothing.
    if (this.#again) this.#told = undefined;
    this.#lookIn(this.#again ? 0 : done ? LOOK_MS : RETRY_MS);
  }

  /** @returns whether nothing is left to tell */
  async #tell(network: Mesh): Promise<boolean> {
    const { transport, instance, read } = this.#input;
    try {
      const inventory = read();
      if (isDeepStrictEqual(inventory, this.#told)) return true;
      const report: InventoryReport = { ...inventory, instance };
      const { status, body: answer } = await transport.exchange(
        { host: memberAddresses(network, 'host0').ipv6, port: MEMBERSHIP_PORT },
        {
          method: 'PUT',
          path: '/inventory',
          body: JSON.stringify(report),
          connectTimeoutMs: TIMEOUT_MS.connect,
          timeoutMs: TIMEOUT_MS.answer,
        },
      );
      // An older host0 does not know inventories and answers 404.
      if (status !== 204 && status !== 404) throw new Error(`host0 answered ${status}: ${answer.slice(0, 200)}`);
      this.#told = inventory;
      return true;
    } catch (thrown) {
      this.#input.journal.failure('inventory not told', thrown, { level: 'debug', network: network.id });
      return false;
    }
  }
}
