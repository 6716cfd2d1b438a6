/**
 * Server-sent events (WHATWG HTML §9.2), as far as Meshwork uses them: `id`, `event` and `data` on one line each, and
 * comments.
 */

/** One event of a stream. */
export interface SseMessage {
  readonly id?: string;
  readonly event: string;
  readonly data: string;
}

/**
 * An event as the stream carries it, with the empty line at its end.
 * @param data must not contain line breaks; JSON does not
 */
export function formatSse({ id, event, data }: SseMessage): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`;
}

/** A comment: it shows that the sender is alive, and carries nothing. */
export const SSE_COMMENT = ': \n\n';

/** A peer that sends more than this without ending a message is not a Meshwork process. */
const MESSAGE_MAX_LENGTH = 8 * 1024 * 1024;

/** Cuts a stream of text into messages. Comments are dropped: a reader that watches for silence counts bytes itself. */
export class SseParser {
  readonly #lengthMax: number;
  /** The begun message, without the line end that may be the first half of its end. It is searched only once. */
  #pending = '';
  #lineEnd = '';

  /** @param lengthMax the longest message, in characters */
  constructor(lengthMax: number = MESSAGE_MAX_LENGTH) {
    this.#lengthMax = lengthMax;
  }

  /**
   * The messages that `text` completes.
   * @throws RangeError when a message is longer than it may be
   */
  push(text: string): SseMessage[] {
    const blocks = (this.#lineEnd + text).split('\n\n');
    const begun = blocks.pop() ?? '';
    if (blocks.length > 0) {
      blocks[0] = this.#pending + blocks[0];
      this.#pending = '';
    }
    this.#lineEnd = begun.endsWith('\n') ? '\n' : '';
    this.#pending += begun.slice(0, begun.length - this.#lineEnd.length);
    if ([this.#pending, ...blocks].some(({ length }) => length > this.#lengthMax)) {
      throw new RangeError(`a message of the event stream is longer than ${this.#lengthMax} characters`);
    }
    return blocks.flatMap((block) => {
      const message = parseBlock(block);
      return message === undefined ? [] : [message];
    });
  }
}

function parseBlock(block: string): SseMessage | undefined {
  let id: string | undefined;
  let event = 'message';
  let data: string | undefined;
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, '');
    const field = line.slice(0, colon);
    if (field === 'id') id = value;
    else if (field === 'event') event = value;
    else if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
  }
  return data === undefined ? undefined : { event, data, ...(id !== undefined && { id }) };
}
