/** What is an IPv6 address: the same texts as for Node. */
import { isIPv6 } from 'node:net';
import { expect, test } from 'vitest';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { isIpv6Text } from './ipv6.ts';

test.each([
  '::',
  '::1',
  '1::',
  'fd42:2345:1234:9abc::1',
  '1:2:3:4:5:6:7:8',
  '1:2:3:4:5:6:7::',
  '::2:3:4:5:6:7:8',
  'FE80::ABCD',
  '::ffff:192.0.2.1',
  '1:2:3:4:5:6:192.0.2.1',
])('%s is an address', (text) => {
  expect([isIpv6Text(text), isIPv6(text)]).toEqual([true, true]);
});

test.each([
  '',
  ':',
  ':::',
  '1:::2',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1::2:3:4:5:6:7:8',
  ':1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:',
  '::12345',
  '::g',
  '192.0.2.1',
  '192.0.2.1::',
  '1:2:3:4:5:6:7:192.0.2.1',
  '::192.0.2',
  '::192.0.2.256',
  ' ::1',
  '[::1]',
])('%j is none', (text) => {
  expect([isIpv6Text(text), isIPv6(text)]).toEqual([false, false]);
});

test('an address with a zone is none, which Node takes', () => {
  expect([isIpv6Text('fe80::1%eth0'), isIPv6('fe80::1%eth0')]).toEqual([false, true]);
});

test('texts of the same pieces are addresses as for Node', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = randomFrom(seed);
  const pieces = [':', ':', ':', ':', '::', '0', '1', 'ab', 'f00d', 'F', '12345', '1.2.3.4', '.', '01.2.3.4', '%', ' '];
  const wrong: string[] = [];
  let addresses = 0;
  for (let count = 0; count < 5_000; count++) {
    const text = Array.from({ length: 1 + Math.floor(random() * 17) }, () => pick(random, pieces)).join('');
    // Addresses of eight groups are rare among such texts.
    const grouped = Array.from({ length: 6 + Math.floor(random() * 4) }, () =>
      pick(random, ['1', 'f00d', '', '0']),
    ).join(':');
    for (const each of [text, grouped]) {
      if (isIpv6Text(each) !== (isIPv6(each) && !each.includes('%'))) wrong.push(each);
      if (isIpv6Text(each)) addresses++;
    }
  }
  expect(wrong).toEqual([]);
  expect(addresses).toBeGreaterThan(100);
});
