/** Which networks a node refuses because another link has their subnet. */
import { expect, test } from 'vitest';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, parseIpv6 } from '../../model/address/ipv6.ts';
import { plainBridge } from '../../model/network/bridge.ts';
import type { Network } from '../../model/network/network.ts';
import type { ForeignLink } from './foreign-links.ts';
import { subnetObstacles } from './subnet-obstacles.ts';

const ADDRESS = parseIpv4('10.7.0.1');
const NETWORK: Network = {
  ...storeNetwork('blue', 0x1001),
  bridge: plainBridge('br1001'),
  hostAddress: { kind: 'given' },
  subnets: [{ cidr: '10.7.0.0/24' as Ipv4Cidr, hostAddress: ADDRESS }, { cidr: 'fd07::/64' as Ipv6Cidr }],
};

function devicesInTheWay(link: Partial<ForeignLink>, present: readonly string[] = [], network = NETWORK): string[] {
  const cache = { linkNamed: (name: string) => (present.includes(name) ? ({} as never) : undefined) };
  const eth0 = { device: 'eth0', kind: '', hearsRouters: false, forwards: false, ipv4: [], ipv6: [], ...link };
  const attachments = [{ network, hostAddresses: [{ address: ADDRESS, length: 24 }] }];
  return subnetObstacles(cache, attachments, [eth0]).map(({ device, reason }) => `${device} ${reason}`);
}

const four = (address: string, subnet: string) => ({
  ipv4: [{ address: parseIpv4(address), subnet: subnet as Ipv4Cidr }],
});

test('a link with an address in the subnet is in the way, in either family', () => {
  expect(devicesInTheWay(four('10.7.0.9', '10.7.0.0/24'))).toEqual(['eth0 subnet']);
  expect(devicesInTheWay(four('10.7.0.9', '10.0.0.0/8'))).toEqual(['eth0 subnet']);
  const ipv6 = [{ address: parseIpv6('fd07::9'), subnet: 'fd07::/64' as Ipv6Cidr }];
  expect(devicesInTheWay({ ipv6 })).toEqual(['eth0 subnet']);
});

test('a link beside the subnet is not, nor is one that comes when the network is there, or where nodes have no addresses', () => {
  expect(devicesInTheWay(four('10.8.0.9', '10.8.0.0/24'))).toEqual([]);
  // The route of the network is the more special one.
  expect(devicesInTheWay(four('10.8.0.9', '10.0.0.0/8'))).toEqual([]);
  expect(devicesInTheWay(four('10.7.0.9', '10.7.0.0/24'), ['br1001'])).toEqual([]);
  expect(devicesInTheWay(four('10.7.0.9', '10.7.0.0/24'), [], { ...NETWORK, hostAddress: { kind: 'none' } })).toEqual(
    [],
  );
});
