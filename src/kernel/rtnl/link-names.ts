/** Whose index a request wants: links are named until the last moment, since a request may use what it makes. */
import type { NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Request } from './request.ts';

/** Fills the indexes of named links into a request, from front to back, each looked up once until it may have changed. */
export class LinkNames {
  readonly #socket: NetlinkSocket;
  readonly #request: Request;
  readonly #known = new Map<string, number>();
  /** Names that what is queued may move; `undefined` is any. */
  readonly #moving = new Set<string | undefined>();
  #nextLink = 0;
  #nextChange = 0;

  constructor(socket: NetlinkSocket, request: Request) {
    this.#socket = socket;
    this.#request = request;
  }

  /** Whether what is queued must be done before the message that ends at `end` can have its indexes. */
  mustSettle(end: number): boolean {
    if (this.#moving.size === 0) return false;
    const { links } = this.#request;
    for (let i = this.#nextLink; (links[i]?.at ?? end) < end; i++) {
      if (this.#moving.has(links[i]?.name) || this.#moving.has(undefined)) return true;
    }
    return false;
  }

  /** What was queued is done. */
  settled(): void {
    if (this.#moving.has(undefined)) this.#known.clear();
    for (const name of this.#moving) if (name !== undefined) this.#known.delete(name);
    this.#moving.clear();
  }

  /** @returns the name of the first link that does not exist, if any */
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

  /** The message that ends at `end` is queued. */
  queued(end: number): void {
    const { nameChanges } = this.#request;
    for (; (nameChanges[this.#nextChange]?.at ?? end) < end; this.#nextChange++) {
      this.#moving.add(nameChanges[this.#nextChange]?.name);
    }
  }
}
