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
const MAX_PENDING = 8 * 1024 * 1024;

/** Cuts a stream of text into messages. Comments are dropped: a reader that watches for silence counts bytes itself. */
export class SseParser {
  #pending = '';

  /**
   * The messages that `text` completes.
   * @throws RangeError when a message does not end within 8 MiB
   */
  push(text: string): SseMessage[] {
    const blocks = (this.#pending + text).split('\n\n');
    this.#pending = blocks.pop() ?? '';
    if (this.#pending.length > MAX_PENDING) throw new RangeError('a message of the event stream does not end');
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
