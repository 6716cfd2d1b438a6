/** Lines of a body that stays open. */
import { StringDecoder } from 'node:string_decoder';

/**
 * The lines of a body, without their line breaks: those that came together, in one list. The text after the last line break is no line.
 * @param maxLength in characters
 * @throws RangeError when a line is longer; and what the body throws
 */
export async function* linesOf(body: AsyncIterable<Uint8Array>, maxLength: number): AsyncGenerator<readonly string[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.write(Buffer.from(chunk))).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLength) throw new RangeError(`a line is longer than ${maxLength} characters`);
    if (lines.length > 0) yield lines;
  }
}
