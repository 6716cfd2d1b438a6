/** Each row of the page on what survives what names a test that there is. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const TOP = new URL('..', import.meta.url).pathname;
const PAGE = 'docs/what-survives.md';

const ROWS = readFileSync(`${TOP}${PAGE}`, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| Lost '));

test.each(ROWS.map((row) => [row.split('|')[1]?.trim() ?? '', row]))('%s', (_, row) => {
  const shown = row.split('|').at(-2) ?? '';
  const quoted = Array.from(shown.matchAll(/`([^`]+)`/g), ([, text = '']) => text);
  if (quoted.length === 0) expect(shown).toMatch(/\]\([a-z0-9]+\.md\)/);
  let source = '';
  for (const text of quoted) {
    if (text.endsWith('.test.ts')) {
      expect(existsSync(`${TOP}${text}`), text).toBe(true);
      source = readFileSync(`${TOP}${text}`, 'utf8').replaceAll("\\'", "'");
    } else expect(source).toContain(text);
  }
});
