/** In which families the guests of a node ask that node alone. */
import { expect, test } from 'vitest';
import { type Ipv4, type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, type Ipv6Cidr, parseIpv6 } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { AddressRange } from '../../model/network/services/address-range.ts';
import type { AssignedDhcp4, AssignedDhcp6 } from '../../protocol/documents/service/assigned-dhcp.ts';
import { familiesGiven } from './dnsmasq-server.ts';

const [A, B] = ['aaaaaaaa', 'bbbbbbbb'] as [MachineWord, MachineWord];
const RANGE4: AddressRange<Ipv4> = { first: parseIpv4('10.77.0.128'), last: parseIpv4('10.77.0.199') };
const RANGE6: AddressRange<Ipv6> = { first: parseIpv6('fd77::1:0'), last: parseIpv6('fd77::1:ff') };

function dhcp4(...shares: (readonly AddressRange<Ipv4>[])[]): AssignedDhcp4 {
  const servers = shares.map((ranges, index) => ({
    ...{ machine: index === 0 ? A : B, ranges },
    address: parseIpv4(`10.77.0.${index + 2}`),
  }));
  const subnet = '10.77.0.0/24' as Ipv4Cidr;
  return { kind: 'dhcp4', id: 'four', subnet, servers, hosts: [], leaseSec: 3_600, routers: [], mtuBytes: 1_380 };
}

function dhcp6(mode: AssignedDhcp6['mode'], ranges: readonly AddressRange<Ipv6>[]): AssignedDhcp6 {
  const servers = [{ machine: A, address: parseIpv6('fd77::2'), ranges }];
  return { kind: 'dhcp6', id: 'six', prefix: 'fd77::/64' as Ipv6Cidr, mode, servers, hosts: [], leaseSec: 3_600 };
}

test('a family that this node does not serve is not kept from other nodes', () => {
  expect(familiesGiven([], A)).toEqual([]);
  expect(familiesGiven([dhcp4([RANGE4])], A)).toEqual(['ipv4']);
  expect(familiesGiven([dhcp4([RANGE4])], B)).toEqual([]);
  expect(familiesGiven([dhcp6('stateless', [])], A)).toEqual(['ipv6']);
  expect(familiesGiven([dhcp4([RANGE4]), dhcp6('stateful', [RANGE6])], A)).toEqual(['ipv4', 'ipv6']);
});

test('a node without a block keeps its guests from no other, unless there are reservations alone', () => {
  const one = dhcp4([], [RANGE4]);
  expect(familiesGiven([one], A)).toEqual([]);
  expect(familiesGiven([one], B)).toEqual(['ipv4']);
  expect(familiesGiven([dhcp4([], [])], A)).toEqual(['ipv4']);
});
