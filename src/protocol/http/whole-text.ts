/** Reads the body of a message to its end. */
import type { Readable } from 'node:stream';

/** The text of a body; undefined when the body is longer, and then the stream is destroyed. @throws the error of the stream */
export async function wholeText(body: Readable, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
