/** What a hook writes: read up to a limit, and taken as an answer or as words. */
import type { Readable } from 'node:stream';
import type { HookAnswer } from '../../protocol/documents/order/hook.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';

/** More than any hook has to say, and little enough that a thousand orders keep theirs. */
export const HOOK_OUTPUT_MAX_BYTES = 64 * 1024;

/** One of the two output streams of a hook. */
export class HookOutput {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  /** @param onFull called once when the hook has written too much */
  constructor(stream: Readable, onFull: () => void) {
    stream.on('data', (chunk: Buffer) => {
      const room = HOOK_OUTPUT_MAX_BYTES - this.#bytes;
      if (room < 0) return;
      if (chunk.length > room) {
        this.#bytes = HOOK_OUTPUT_MAX_BYTES + 1;
        // Without a reader, the kernel ends what goes on writing.
        stream.destroy();
        onFull();
        return;
      }
      this.#bytes += chunk.length;
      this.#chunks.push(chunk);
    });
    stream.on('error', () => {});
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}

const AnswerShape: form.Shape<HookAnswer> = form.looseObject({});
const RefusalShape = form.object({ code: form.exactOptional(form.string()), message: form.string() });

/** What standard output is: the object that it holds, else words. A text that begins with `{` must be an object. */
export function answerIn(
  text: string,
):
  | { readonly answer: HookAnswer; readonly words: '' }
  | { readonly answer?: never; readonly words: string; readonly fault?: string } {
  if (!text.trimStart().startsWith('{')) return { words: text };
  const { document, fault } = readDocument(AnswerShape, text, HOOK_OUTPUT_MAX_BYTES);
  return fault === undefined ? { answer: document, words: '' } : { words: text, fault };
}

/** The words of `{"code","message"}`, by which a hook says why it refuses. */
export function refusalIn(text: string): string | undefined {
  const { document } = readDocument(RefusalShape, text, HOOK_OUTPUT_MAX_BYTES);
  if (document === undefined) return undefined;
  return document.code === undefined ? document.message : `${document.code}: ${document.message}`;
}
