/** Tells host0 what this machine is made of: once when it has joined, and again when it is another. */
import { isDeepStrictEqual } from 'node:util';
import type { Alarm, Clock } from '../../model/clock.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import type { Inventory } from '../../protocol/documents/inventory.ts';
import { MEMBERSHIP_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Transport } from './transport.ts';

export interface InventoryNoticeInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly transport: Transport;
  readonly read: () => Inventory;
}

const TIMEOUT_MS = { connect: 1_000, answer: 5_000 } as const;
/** Nobody waits for it. */
const RETRY_MS = 5_000;
/** Links come in bursts. */
const SETTLE_MS = 2_000;
/** A disk that is plugged in makes no event that we hear of. */
const LOOK_MS = 10 * 60_000;

export class InventoryNotice {
  readonly #input: InventoryNoticeInput;
  /** Where host0 answered last. */
  #network: Network | undefined;
  /** What host0 has been told of this machine. */
  #told: Inventory | undefined;
  #alarm: Alarm | undefined;
  #dueMs = Infinity;
  #telling = false;
  /** Asked for while it was telling. */
  #again = false;

  constructor(input: InventoryNoticeInput) {
    this.#input = input;
  }

  /** host0 has made this node a member; it may be another host0 than before. */
  joined(network: Network): void {
    this.#network = network;
    this.#told = undefined;
    this.#lookIn(0);
  }

  /** The machine's ports are others, or may be. */
  lookSoon(): void {
    if (this.#network !== undefined) this.#lookIn(SETTLE_MS);
  }

  close(): void {
    this.#network = undefined;
    this.#alarm?.cancel();
  }

  /** The sooner of two wins: events that never end must not put it off for ever. */
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
    // What was told then, another host0 may have heard.
    if (this.#again) this.#told = undefined;
    this.#lookIn(this.#again ? 0 : done ? LOOK_MS : RETRY_MS);
  }

  /** @returns whether nothing is left to tell */
  async #tell(network: Network): Promise<boolean> {
    const { transport, read } = this.#input;
    try {
      const inventory = read();
      if (isDeepStrictEqual(inventory, this.#told)) return true;
      const { status, body: answer } = await transport.exchange(
        { host: memberAddresses(network, 'host0').ipv6, port: MEMBERSHIP_PORT },
        {
          method: 'PUT',
          path: '/inventory',
          body: JSON.stringify(inventory),
          connectTimeoutMs: TIMEOUT_MS.connect,
          timeoutMs: TIMEOUT_MS.answer,
        },
      );
      // An older host0 knows no inventories.
      if (status !== 204 && status !== 404) throw new Error(`host0 answered ${status}: ${answer.slice(0, 200)}`);
      this.#told = inventory;
      return true;
    } catch (thrown) {
      this.#input.journal.failure('inventory not told', thrown, { level: 'debug', network: network.id });
      return false;
    }
  }
}
