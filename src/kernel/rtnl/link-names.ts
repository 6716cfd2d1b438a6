/**
 * Fills link indexes into requests. Requests name links until they are sent, since a request may use a link that it
 * makes.
 */
import type { NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Request } from './request.ts';

/**
 * Fills the indexes of named links into one request, from front to back. Each name is looked up once, until a message
 * may have changed which link has it.
 */
export class LinkNames {
  readonly #socket: NetlinkSocket;
  readonly #request: Request;
  readonly #known = new Map<string, number>();
  /** Names that a queued message may give to another link or take from one; `undefined` means any name. */
  readonly #unsettled = new Set<string | undefined>();
  #nextLink = 0;
  #nextChange = 0;

  constructor(socket: NetlinkSocket, request: Request) {
    this.#socket = socket;
    this.#request = request;
  }

  /** Whether the queued messages must be acknowledged before the message that ends at `end` can get its indexes. */
  mustSettle(end: number): boolean {
    if (this.#unsettled.size === 0) return false;
    const { links } = this.#request;
    for (let i = this.#nextLink; (links[i]?.at ?? end) < end; i++) {
      if (this.#unsettled.has(links[i]?.name) || this.#unsettled.has(undefined)) return true;
    }
    return false;
  }

  /** All queued messages have been acknowledged: forgets the indexes of the names that they may have moved. */
  settled(): void {
    if (this.#unsettled.has(undefined)) this.#known.clear();
    for (const name of this.#unsettled) if (name !== undefined) this.#known.delete(name);
    this.#unsettled.clear();
  }

  /**
   * Fills in the indexes of the message that ends at `end`.
   * @returns the name of the first link that does not exist, if any
   */
  fillIn(bytes: Buffer, end: number): string | undefined {
    let absent: string | undefined;
    const { links } = this.#request;
    for (let link = links[this.#nextLink]; link !== undefined && link.at < end; link = links[++this.#nextLink]) {
      const { at, name } = link;
      const index = this.#known.get(name) ?? this.#socket.linkIndex(name);
      this.#known.set(name, index);
      if (index === 0) absent ??= name;
      bytes.writeUInt32LE(index, at);
    }
    return absent;
  }

  /** Notes the names that the message ending at `end`, which was queued, may move. */
  queued(end: number): void {
    const { nameChanges } = this.#request;
    for (; (nameChanges[this.#nextChange]?.at ?? end) < end; this.#nextChange++) {
      this.#unsettled.add(nameChanges[this.#nextChange]?.name);
    }
  }
}
