import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { cleanConsole, consoleCleaner } from './console-text.ts';

const PAINTED = '\x1b[2J\x1b[1;1Hup\r\n\x1b]0;title\x07\x1b(B\x9b31mred\x1b[6n\u202e\0\ttab\n\n';

test('a console loses what a terminal acts on', () => {
  expect(cleanConsole(PAINTED)).toBe('up\n]0;title31mred\ttab');
});

test.each([1, 2, 3, 7, 1_000])('also as it passes through in pieces of %i bytes', async (bytes) => {
  const cleaner = consoleCleaner();
  const cleaned = text(cleaner);
  const raw = Buffer.from(PAINTED, 'latin1');
  for (let at = 0; at < raw.length; at += bytes) cleaner.write(raw.subarray(at, at + bytes));
  cleaner.end('\x1b[');
  expect(await cleaned).toBe('up\n]0;title31mred.\ttab\n\n');
});
