/** Which links have a permanent MAC address. */
import { expect, test } from 'vitest';
import { parseMac } from '../../model/address/mac.ts';
import { permanentMacs } from './permanent-macs.ts';

test('a link without a permanent address is left out', () => {
  const mac = parseMac('52:54:00:00:00:01');
  const links = [
    { index: 1, name: 'lo' },
    { index: 2, name: 'eth0', permanentMac: mac },
  ];
  expect(permanentMacs(links)).toEqual([{ index: 2, name: 'eth0', mac }]);
});
