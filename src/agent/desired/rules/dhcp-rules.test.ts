/** Proves with real frames what does not pass between two nodes that give addresses, and that all else does. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ends, framesOn, ipv4Frame, ipv6Frame, udp } from '../../../../test/kit/frames.ts';
import { GuardedBridge, plainFrame } from '../../../../test/kit/guarded-bridge.ts';
import { Nft } from '../../../kernel/nft.ts';
import { BROADCAST_MAC, IP_PROTOCOL } from '../../../kernel/sockets/ethernet.ts';
import { groupMac } from '../../../kernel/sockets/neighbour-frame.ts';
import { parseIpv6 } from '../../../model/address/ipv6.ts';
import { type Mac, parseMac } from '../../../model/address/mac.ts';
import type { NetworkNumber } from '../../../model/network/number.ts';
import { rulesetScript } from '../../items/ruleset.ts';
import { bridgeTable } from './bridge-table.ts';
import { dhcpRules } from './dhcp-rules.ts';

const [BRIDGE, GUEST, FAR] = ['0f', '0a', '0b'].map((last) => parseMac(`02:00:00:00:00:${last}`)) as [Mac, Mac, Mac];
const SERVERS = parseIpv6('ff02::1:2');
const DHCP = Buffer.alloc(300, 7);

function four(from: Mac, to: Mac, ports: readonly [number, number]): Buffer {
  const addresses = {
    source: [10, 77, 0, 10],
    destination: to === BROADCAST_MAC ? [255, 255, 255, 255] : [10, 77, 0, 2],
  };
  return ipv4Frame({ from, to }, addresses, IP_PROTOCOL.udp, udp(...ports, DHCP));
}

function six(from: Mac, to: Mac, destination: Ends['destination'], ports: readonly [number, number]): Buffer {
  const ends = { from, to, source: parseIpv6('fe80::a'), destination };
  return ipv6Frame(ends, IP_PROTOCOL.udp, udp(...ports, DHCP));
}

let place: GuardedBridge;
let nft: Nft;

beforeAll(async () => {
  place = new GuardedBridge(BRIDGE, (number) => plainFrame(GUEST, FAR, number));
  nft = await Nft.open({ netns: place.netns.path });
});

afterAll(async () => {
  await nft.close();
  place[Symbol.dispose]();
});

const ASKS: readonly (readonly [what: string, frame: Buffer])[] = [
  ['a request to all DHCP servers', four(GUEST, BROADCAST_MAC, [68, 67])],
  ['a request to all DHCPv6 servers', six(GUEST, groupMac(SERVERS), SERVERS, [546, 547])],
];
const PASSES: readonly (readonly [what: string, frame: Buffer])[] = [
  ['a guest that came here renews its lease at the node that gave it', four(GUEST, FAR, [68, 67])],
  ['an answer to a guest of a node that does not serve', four(GUEST, BROADCAST_MAC, [67, 68])],
  ['a DHCPv6 answer to such a guest', six(GUEST, FAR, parseIpv6('fe80::b'), [547, 546])],
  ['another broadcast', four(GUEST, BROADCAST_MAC, [5000, 5000])],
  ['another multicast', six(GUEST, groupMac(parseIpv6('ff02::fb')), parseIpv6('ff02::fb'), [5353, 5353])],
];

test('requests to all servers stay on a node that serves, and answers to guests elsewhere leave', async () => {
  // Each arrives without the table.
  await nft.run('flush ruleset\n');
  for (const [what, frame] of [...ASKS, ...PASSES]) expect(await place.arrived(frame), what).toBe(1);
  await nft.run(
    rulesetScript(bridgeTable([dhcpRules({ number: 456 as NetworkNumber }, 'vxlan456', ['ipv4', 'ipv6'])])),
  );
  for (const [what, frame] of ASKS) expect(await place.arrived(frame), what).toBe(0);
  for (const [what, frame] of PASSES) expect(await place.arrived(frame), what).toBe(1);
});

test('answers of other servers to all do not come in; requests, and answers to one guest, do', async () => {
  await nft.run('flush ruleset\n');
  await nft.run(
    rulesetScript(bridgeTable([dhcpRules({ number: 456 as NetworkNumber }, 'vxlan456', ['ipv4', 'ipv6'])])),
  );
  const heard: Buffer[] = [];
  using guest = framesOn(place.guestEnd, 'eth0', (bytes) => heard.push(Buffer.from(bytes)));
  expect(guest).toBeDefined();
  const comes = [
    four(FAR, BROADCAST_MAC, [68, 67]),
    four(FAR, GUEST, [67, 68]),
    six(FAR, groupMac(SERVERS), SERVERS, [546, 547]),
    plainFrame(FAR, GUEST, 77),
  ];
  for (const frame of [four(FAR, BROADCAST_MAC, [67, 68]), ...comes]) place.far.send(frame);
  await expect.poll(() => heard.some((bytes) => bytes.equals(comes[3] ?? bytes)), { timeout: 5_000 }).toBe(true);
  expect(heard.map((bytes) => comes.findIndex((frame) => frame.equals(bytes)))).toEqual([0, 1, 2, 3]);
});

test.each([
  'ipv4',
  'ipv6',
] as const)('a node that gives addresses of %s alone keeps no requests of the other family', async (family) => {
  await nft.run('flush ruleset\n');
  await nft.run(rulesetScript(bridgeTable([dhcpRules({ number: 456 as NetworkNumber }, 'vxlan456', [family])])));
  const arrived: number[] = [];
  for (const [, frame] of ASKS) arrived.push(await place.arrived(frame));
  expect(arrived).toEqual(family === 'ipv4' ? [0, 1] : [1, 0]);
});
