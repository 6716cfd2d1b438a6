import { expect, test } from 'vitest';
import { ByteTail } from './byte-tail.ts';

test('a stream that comes byte by byte is kept in few buffers', () => {
  const tail = new ByteTail(5_000);
  let most = 0;
  for (let at = 0; at < 20_000; at++) {
    tail.push(Buffer.from([at % 251]));
    most = Math.max(most, tail.chunkCount);
  }
  expect(most).toBeLessThanOrEqual(1_024);
  expect(tail.length).toBe(5_000);
  expect(tail.last(5_000)).toEqual(Buffer.from(Array.from({ length: 5_000 }, (_, at) => (15_000 + at) % 251)));
});
