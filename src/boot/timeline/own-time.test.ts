/** How long a wait may take, by the table and by earlier boots. */
import { expect, test } from 'vitest';
import { isTelling, ownTime, TABLE_SEC, WAITS } from './own-time.ts';

test.each([
  ['nothing is known', [], 22_000, 'table'],
  ['one boot was slow', [60_000], 22_000, 'table'],
  ['one of many boots was slow', [60_000, 5_000, 5_000, 14_000], 22_000, 'table'],
  ['two boots were slow', [60_000, 5_000, 30_000], 45_000, 'learned'],
  ['all boots took nearly as long as the table says', [20_000, 20_000, 20_000], 30_000, 'learned'],
  ['four boots were quick', [1_000, 1_000, 1_000, 1_000], 22_000, 'table'],
  ['five boots were quick', [4_000, 3_000, 3_000, 3_000, 3_000], 8_000, 'learned'],
  ['five boots took no time', [0, 0, 0, 0, 500], 5_000, 'learned'],
  ['five boots were a little quicker', [9_000, 9_000, 9_000, 9_000, 9_000], 22_000, 'table'],
] as const)('the time of the start of iPXE where %s', (_, seen, ms, from) => {
  expect(ownTime('tftp', { tftp: seen })).toEqual({ ms, from, ...(from === 'learned' && { boots: seen.length }) });
});

test('a learned time is at least five seconds or the table’s, and at most six times the table’s', () => {
  for (const wait of WAITS) {
    const tableMs = TABLE_SEC[wait] * 1000;
    for (const silenceMs of [0, tableMs / 10, tableMs, 3 * tableMs, 4 * tableMs]) {
      const { ms } = ownTime(wait, { [wait]: Array.from({ length: 8 }, () => silenceMs) });
      expect(ms).toBeGreaterThanOrEqual(Math.min(tableMs, 5_000));
      expect(ms).toBeGreaterThanOrEqual(Math.min(silenceMs, tableMs));
      expect(ms).toBeLessThanOrEqual(6 * tableMs);
    }
  }
});

test('a very long silence, and one that depends on the server, say nothing about the model', () => {
  expect([isTelling('offer', 32_000), isTelling('offer', 32_001), isTelling('discover', 900)]).toEqual([
    true,
    false,
    false,
  ]);
});
