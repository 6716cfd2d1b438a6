/** A stream of text is cut into messages wherever its chunks end, and a message without an end is refused soon. */
import { expect, test } from 'vitest';
import { seedOfRun } from '../../../test/kit/damage.ts';
import { randomFrom } from '../../../test/kit/random.ts';
import { formatSse, SSE_COMMENT, type SseMessage, SseParser } from './sse.ts';

test('the messages are the same for chunks of any length', () => {
  const random = randomFrom(seedOfRun());
  const messages = Array.from(
    { length: 50 },
    (_, i): SseMessage => ({ event: 'join', id: `a.${i}`, data: 'x'.repeat(i) }),
  );
  const stream = messages.map((message) => formatSse(message) + (random() < 0.3 ? SSE_COMMENT : '')).join('');
  for (let round = 0; round < 200; round++) {
    const parser = new SseParser();
    const read: SseMessage[] = [];
    for (let from = 0; from < stream.length; ) {
      const to = from + 1 + Math.floor(random() * 40);
      read.push(...parser.push(stream.slice(from, to)));
      from = to;
    }
    expect(read).toEqual(messages);
  }
});

test.each([1, 1_000, 100_000])('a message without an end is refused, in chunks of %i characters', (length) => {
  const parser = new SseParser(50_000);
  const chunk = 'x'.repeat(length);
  expect(() => {
    for (let sent = 0; sent < 200_000; sent += length) parser.push(chunk);
  }).toThrow(RangeError);
});

test('a whole message that is too long is refused, too', () => {
  expect(() => new SseParser(100).push(formatSse({ event: 'join', data: 'x'.repeat(200) }))).toThrow(RangeError);
});
