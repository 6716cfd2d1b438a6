/** On real kernels: the addresses that host0 gives a node are on its bridge, are put right, and are reached there alone. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside, ip } from '../../../../test/kit/namespaces.ts';
import { networkOfType, vxlanType } from '../../../../test/kit/networks.ts';
import { assignedPair, PlannedPair } from '../../../../test/kit/planned-pair.ts';
import { Pings } from '../../../../test/system/pings.ts';
import { parseIpv4 } from '../../../model/address/ipv4.ts';
import { parseIpv6 } from '../../../model/address/ipv6.ts';
import type { HostInterface } from '../../../model/network/host-address.ts';

/** Four namespaces and two kernels take half a second on a quiet machine. */
const SET_UP_DEADLINE_MS = 30_000;
const NUMBER = 0xff01;
const network = networkOfType(NUMBER, vxlanType(NUMBER), { kind: 'assigned' });

let pair: PlannedPair;

beforeEach(async () => {
  pair = await PlannedPair.open();
}, SET_UP_DEADLINE_MS);

afterEach(async () => {
  await pair[Symbol.asyncDispose]();
});

function given(text: string, length: number): HostInterface {
  return { address: text.includes(':') ? parseIpv6(text) : parseIpv4(text), length };
}

/** Each node has addresses of its own in the guests' subnets. */
async function take(four: string, six: string, length = 24): Promise<void> {
  await pair.take((at) => {
    const hostAddresses = [given(`${four}${at + 1}`, length), given(`${six}${at + 1}`, 64)];
    return assignedPair(network)(at).map((attachment) => ({ ...attachment, hostAddresses }));
  });
}

function addresses(): string[] {
  const [link] = JSON.parse(inside(pair.hosts.here, 'ip', '-j', 'address', 'show', 'brff01'));
  const all: { local: string; prefixlen: number }[] = link.addr_info;
  return all.map(({ local, prefixlen }) => `${local}/${prefixlen}`).filter((text) => !text.startsWith('fe80'));
}

test('guests reach the addresses of both nodes, over IPv4 and IPv6', async () => {
  await take('192.168.7.10', 'fd07::10');
  expect(addresses()).toEqual(['192.168.7.101/24', 'fd07::101/64']);
  await pair.guestReaches('192.168.7.101', '192.168.7.102', 'fd07::101', 'fd07::102');
  expect(pair.nodes[0]?.lines).toEqual(
    expect.arrayContaining([
      'ip address add 192.168.7.101/24 dev brff01 proto 200',
      'ip address add fd07::101/64 dev brff01 nodad proto 200',
    ]),
  );
});

test('addresses are put right, and what another program added stays', async () => {
  await take('192.168.7.10', 'fd07::10');
  ip(
    pair.hosts.here,
    'address add 10.99.0.1/24 dev brff01',
    'address delete 192.168.7.101/24 dev brff01',
    'address delete fd07::101/64 dev brff01',
  );
  await pair.nodes[0]?.settled();
  expect(addresses().sort()).toEqual(['10.99.0.1/24', '192.168.7.101/24', 'fd07::101/64']);
});

test('another subnet changes in place, without a lost ping between guests, and none is left with the network', async () => {
  await take('192.168.7.10', 'fd07::10');
  await pair.guestsReachEachOther();
  using pings = await Pings.start(pair.guests[0]?.path ?? '', parseIpv6('fd07::2'), 1);
  await take('192.168.7.20', 'fd07::20', 25);
  await take('10.77.0.10', 'fd77::10');
  expect(addresses()).toEqual(['10.77.0.101/24', 'fd77::101/64']);
  await pair.take(assignedPair(network));
  expect(addresses()).toEqual([]);
  expect(await pings.lost()).toBe('');
});

test('the addresses are reached over the bridge of the network alone', async () => {
  await take('192.168.7.10', 'fd07::10');
  await pair.guestReaches('192.168.7.101', 'fd07::101');
  const { there } = pair.hosts;
  ip(there, 'route add 192.168.7.101/32 via 10.9.0.1', 'route add fd07::101/128 via fd09::1 dev eth0');
  const reaches = (address: string) =>
    inside(there, 'sh', '-c', `ping -c1 -W1 ${address} >/dev/null && echo yes || echo no`);
  expect(reaches('192.168.7.101').trim()).toBe('no');
  expect(reaches('fd07::101').trim()).toBe('no');
});
