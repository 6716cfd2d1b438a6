/** The whole text of the configuration. That a tayga works with it is in outer-places.test.ts. */
import { expect, test } from 'vitest';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';
import { taygaConf } from './tayga-conf.ts';

test('a translator with two maps', () => {
  const maps = [
    { ipv4: '203.0.113.5' as Ipv4, ipv6: 'fd64::5' as Ipv6 },
    { ipv4: '203.0.113.6' as Ipv4, ipv6: 'fd64::6' as Ipv6 },
  ];
  const own = { ipv4: '192.0.0.2' as Ipv4, ipv6: 'fd64::6400' as Ipv6 };
  const translation = { prefix: 'fd64:64::/96' as Ipv6Cidr, ...own, pool: '100.126.0.0/16' as Ipv4Cidr, maps };
  expect(taygaConf(translation, '/run/meshwork/tayga-1001')).toMatchInlineSnapshot(`
    "# Made by Meshwork; changes are overwritten.
    tun-device nat64
    ipv4-addr 192.0.0.2
    ipv6-addr fd64::6400
    prefix fd64:64::/96
    dynamic-pool 100.126.0.0/16
    data-dir /run/meshwork/tayga-1001
    map 203.0.113.5 fd64::5
    map 203.0.113.6 fd64::6
    "
  `);
});
