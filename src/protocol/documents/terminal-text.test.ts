/** Text and JSON for a terminal. */
import { expect, test } from 'vitest';
import { terminalJson, visible } from './terminal-text.ts';

/** All code points that Unicode calls controls, formats, or separators of lines. */
const ACTING = Array.from({ length: 0x110000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))
  .filter((character) => /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(character));

test('no character of a text acts on a terminal, and the text is the same for a parser', () => {
  const value = { [`key${ACTING.join('')}`]: [ACTING.join('|'), 'Zürich, 日本, 👍', 7, null, true] };
  for (const indent of [undefined, 2]) {
    const json = terminalJson(value, indent);
    expect(JSON.parse(json)).toEqual(value);
    // Line breaks stand only between the parts.
    expect(json.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(json).toContain('Zürich, 日本, 👍');
  }
});

test('a text is one line in which nothing acts', () => {
  const text = visible(`${ACTING.join('')}Zürich, 日本, 👍`);
  expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(text).toContain('Zürich, 日本, 👍');
  expect(visible('a\tb \x1b[2J \u202e')).toBe('a    b \\x1b[2J \\u{202e}');
});

test('a control of eight bits, a reversal of the writing and a tag are escaped', () => {
  expect(terminalJson('\u009b2J \u202e \u{e0001}')).toBe('"\\u009b2J \\u202e \\udb40\\udc01"');
});
