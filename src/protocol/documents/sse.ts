/** Server-sent events (WHATWG HTML §9.2), the part that both ends of our streams use: `id`, `event`, `data` on one line each, comments. */

export interface SseMessage {
  readonly id?: string;
  readonly event: string;
  readonly data: string;
}

/** @param data must not contain line breaks; JSON does not */
export function formatSse({ id, event, data }: SseMessage): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`;
}

/** Says «still here» and carries nothing. */
export const SSE_COMMENT = ': \n\n';

/** A peer that sends more than this without ending a message is not one of ours. */
const MAX_PENDING = 8 * 1024 * 1024;

/** Cuts a stream of text into messages. Comments are dropped: that bytes came at all is the reader's to notice. */
export class SseParser {
  #pending = '';

  /** @throws RangeError when a message does not end */
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
