/** Which services go together, and what each says when it does not fit. */
import { expect, test } from 'vitest';
import { storeNetwork } from '../../../test/kit/networks.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { Nat44Service } from '../../model/network/services/nat44.ts';
import type { NetworkService } from '../../model/network/services/network-service.ts';
import type { RouteService, Uplink } from '../../model/network/services/route.ts';
import { assignedService } from './assigned-services.ts';
import type { ServiceRecord } from './service-record.ts';
import { mustGoWith } from './service-rules.ts';

const [V4, V6] = ['10.20.0.0/24' as Ipv4Cidr, 'fd64::/64' as Ipv6Cidr];
const blue = (...subnets: Network['subnets']): Network => ({ ...storeNetwork('blue', 0x1001), subnets });
const BOTH = blue({ cidr: V4 }, { cidr: V6 });
const OUT = { device: 'eth0', address: '198.51.100.10' as Ipv4, length: 24 } as const;
const NAT44: Nat44Service = { kind: 'nat44', ...OUT };
const UPLINK4: Uplink = { address: OUT.address, length: 24 };
const UPLINK6: Uplink = { address: '2001:db8::10' as Ipv6, length: 64, gateway: 'fe80::1' as Ipv6 };
const route = (...uplinks: readonly Uplink[]): RouteService => ({ kind: 'route', device: 'eth0', uplinks });
const recordOf = (service: NetworkService): ServiceRecord => ({ format: 1, network: BOTH.number, service });

/** The message of the refusal; undefined where there is none. */
function refusal(network: Network, service: NetworkService, ...others: readonly NetworkService[]): string | undefined {
  try {
    mustGoWith(network, service, others.map(recordOf));
    return undefined;
  } catch (thrown) {
    const { code, message, remedy } = MeshError.from(thrown);
    expect(remedy).not.toBe('');
    return `${code} ${message}`;
  }
}

test('NAT44 and routing need subnets of their family', () => {
  expect(refusal(BOTH, NAT44)).toBeUndefined();
  expect(refusal(BOTH, route(UPLINK4, UPLINK6))).toBeUndefined();
  expect(refusal(blue({ cidr: V6 }), NAT44)).toBe('MESH_NET_NOT_SUPPORTED network blue has no IPv4 subnet for NAT44');
  expect(refusal(blue({ cidr: '10.20.0.0/31' as Ipv4Cidr }), route(UPLINK4))).toContain('for routing of IPv4');
  expect(refusal(blue({ cidr: V4 }), route(UPLINK6))).toContain('no IPv6 subnet');
});

test('the subnet outside is another one, and has the next router', () => {
  expect(refusal(BOTH, { ...NAT44, address: '10.20.0.9' as Ipv4 })).toBe(
    'MESH_USAGE 10.20.0.9/24 is no subnet outside: blue has 10.20.0.0/24',
  );
  expect(refusal(BOTH, route({ address: 'fd64::9' as Ipv6, length: 48 }))).toContain('is no subnet outside');
  expect(refusal(BOTH, { ...NAT44, gateway: '198.51.101.1' as Ipv4 })).toBe(
    'MESH_USAGE the gateway 198.51.101.1 is not in the subnet of 198.51.100.10/24',
  );
});

test('services of a network share one way out', () => {
  expect(refusal(BOTH, { ...NAT44, device: 'eth1' }, route(UPLINK6))).toBe(
    'MESH_USAGE the services route and nat44 of blue lead outside by eth0 and by eth1',
  );
  expect(refusal(BOTH, route(UPLINK4), NAT44)).toContain('exclude each other for IPv4');
  expect(refusal(BOTH, NAT44, route(UPLINK4, UPLINK6))).toContain('exclude each other for IPv4');
  expect(refusal(BOTH, route(UPLINK6), NAT44)).toBeUndefined();
  const nat64 = { kind: 'nat64', ...OUT, prefix: 'fd64:64::/96', block: '198.51.100.64/26', maps: [] } as const;
  const translated = { ...nat64, prefix: nat64.prefix as Ipv6Cidr, block: nat64.block as Ipv4Cidr };
  expect(refusal(BOTH, NAT44, translated)).toBeUndefined();
  expect(refusal(BOTH, { ...NAT44, length: 25 }, translated)).toContain('different lengths');
  expect(refusal(BOTH, { ...NAT44, gateway: '198.51.100.1' as Ipv4 }, translated)).toContain(
    'different next routers: none and 198.51.100.1',
  );
});

test('all routers are told the gateways, and which of them has them', () => {
  const active = 'aaaaaaaa' as MachineWord;
  const gateways = [{ address: '10.20.0.1', length: 24 }];
  expect(assignedService(BOTH, recordOf(NAT44), active)).toMatchObject({ active, guests: [V4], gateways, ...OUT });
  expect(assignedService(BOTH, recordOf(route(UPLINK6)), active)).toMatchObject({ active, guests: [V6], gateways: [] });
  expect(assignedService(BOTH, recordOf(route(UPLINK4)), active)).toMatchObject({ guests: [V4], gateways });
  const other = blue({ cidr: V4, hostAddress: '10.20.0.254' as Ipv4 });
  expect(assignedService(other, recordOf(NAT44), active)).toMatchObject({
    gateways: [{ address: '10.20.0.254', length: 24 }],
  });
  expect(assignedService(BOTH, { ...recordOf(NAT44), removing: true }, active)).not.toHaveProperty('active');
});
