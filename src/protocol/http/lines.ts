/** Lines of a body that stays open. */
import { StringDecoder } from 'node:string_decoder';

/**
 * The lines of a body, without their line breaks: those that came together, in one list. The text after the last line break is no line.
 * @param maxLength in characters
 * @throws RangeError when a line is longer; and what the body throws
 */
export async function* linesOf(body: AsyncIterable<Uint8Array>, maxLength: number): AsyncGenerator<readonly string[]> {
  const decoder = new StringDecoder('utf8');
  // A long line comes in many chunks: they are put together once.
  let begun: string[] = [];
  let length = 0;
  for await (const chunk of body) {
    const [first = '', ...more] = decoder.write(Buffer.from(chunk)).split('\n');
    begun.push(first);
    length += first.length;
    if (length > maxLength) throw new RangeError(`a line is longer than ${maxLength} characters`);
    const rest = more.pop();
    if (rest === undefined) continue;
    yield [begun.join(''), ...more];
    begun = [rest];
    length = rest.length;
  }
}
