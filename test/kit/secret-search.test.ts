/** The search for secrets finds what it is to find: else that nothing was found would prove nothing. */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { found, needlesOf } from './secret-search.ts';

const secret = randomBytes(32);
const needles = needlesOf('key', secret);

test.each([
  ['as it is', secret],
  ['in hex', Buffer.from(`key=${secret.toString('hex')};`)],
  ['in upper-case hex', Buffer.from(secret.toString('hex').toUpperCase())],
  ['in JSON', Buffer.from(JSON.stringify({ key: secret }))],
  ['in JSON of an array of bytes', Buffer.from(JSON.stringify({ key: new Uint8Array(secret) }))],
  ['as a text', Buffer.from(secret.toString('latin1'))],
  ...[0, 1, 2, 3, 4].flatMap((before) =>
    [0, 1, 2].flatMap((after) =>
      (['base64', 'base64url'] as const).map((form): [string, Buffer] => [
        `in ${form} between ${before} and ${after} other bytes`,
        Buffer.from(Buffer.concat([randomBytes(before), secret, randomBytes(after)]).toString(form)),
      ]),
    ),
  ),
])('a secret is found %s', (_, where) => {
  expect(found(needles, where)).not.toEqual([]);
});

test('nothing is found in other bytes', () => {
  expect(found(needles, randomBytes(100_000))).toEqual([]);
});
