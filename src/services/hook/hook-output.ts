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

/** An answer goes into documents that are nested themselves, and these are read up to a depth of 32 (shapes/document.ts). */
const ANSWER_DEPTH_MAX = 16;

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
  if (fault !== undefined) return { words: text, fault };
  if (isDeeper(document, ANSWER_DEPTH_MAX)) return { words: text, fault: `is nested deeper than ${ANSWER_DEPTH_MAX}` };
  return { answer: document, words: '' };
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

/** The words of `{"code","message"}`, by which a hook says why it refuses. */
export function refusalIn(text: string): string | undefined {
  const { document } = readDocument(RefusalShape, text, HOOK_OUTPUT_MAX_BYTES);
  if (document === undefined) return undefined;
  return document.code === undefined ? document.message : `${document.code}: ${document.message}`;
}
