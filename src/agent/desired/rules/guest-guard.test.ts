/**
 * Proves with real frames that the guest of a port sends with its own addresses alone. Each kind of forged frame arrives without the
 * table, so that it is the table that stops it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nodeInput } from '../../../../test/kit/desired-input.ts';
import {
  ALL_NODES,
  advertisement,
  type Ends,
  icmpv6,
  ipv4Frame,
  ipv6Frame,
  llcFrame,
  NEXT,
  neighbourAdvertisement,
  padding,
  solicitation,
  TAG,
  tagged,
  udp,
} from '../../../../test/kit/frames.ts';
import { GuardedBridge, plainFrame } from '../../../../test/kit/guarded-bridge.ts';
import { inside } from '../../../../test/kit/namespaces.ts';
import { mesh } from '../../../../test/kit/networks.ts';
import { Nft } from '../../../kernel/nft.ts';
import { ETHERTYPE, encodeEthernet, IP_PROTOCOL } from '../../../kernel/sockets/ethernet.ts';
import { linkLocalOf } from '../../../kernel/sockets/neighbour-frame.ts';
import { parseIpv4 } from '../../../model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../../model/address/ipv6.ts';
import { type Mac, macToBytes, parseMac } from '../../../model/address/mac.ts';
import { machineIdOf } from '../../../model/machine.ts';
import { memberAddresses } from '../../../model/network/member.ts';
import { parseRefused, REFUSED_SET, type RefusalKind } from '../../items/refusal.ts';
import { rulesetScript } from '../../items/ruleset.ts';
import { desiredItems } from '../desired.ts';

const FRAMES = 30;
const network = mesh('manage', 456, { prefix: 'fd42:0:0:456::/64' });
const node = machineIdOf('here');
const own = memberAddresses(network, node);

const GUEST = parseMac('02:00:00:00:00:0a');
const FAR = parseMac('02:00:00:00:00:0b');
const UNKNOWN = parseMac('02:00:00:00:00:0c');
const BROADCAST = parseMac('ff:ff:ff:ff:ff:ff');
const ipv6 = parseIpv6('fd07::a');
const linkLocal = linkLocalOf(GUEST);
const victim = parseIpv6('fd07::b');
const UNSPECIFIED = parseIpv6('::');
const ADDRESS = [10, 7, 0, 10];
const VICTIM = [10, 7, 0, 11];
const DATA = Buffer.alloc(32, 7);

const toFar: Ends = { from: GUEST, to: FAR, source: ipv6, destination: victim };
const toAll: Ends = { from: GUEST, to: ALL_NODES[0], source: linkLocal, destination: ALL_NODES[1] };

function ipv4(source: readonly number[], protocol: number, payload: Buffer, from = GUEST): Buffer {
  return ipv4Frame({ ...toFar, from }, { source, destination: VICTIM }, protocol, payload);
}

function arp(operation: 1 | 2, mac: Mac, address: readonly number[], to = BROADCAST): Buffer {
  const packet = Buffer.from(`000108000604000${operation}`, 'hex');
  const body = Buffer.concat([packet, macToBytes(mac), Buffer.from(address), Buffer.alloc(6), Buffer.from(VICTIM)]);
  return encodeEthernet({ from: GUEST, to, type: ETHERTYPE.arp }, Buffer.concat([body, Buffer.alloc(18)]));
}

function advertised(source: Ipv6, target: Ipv6, mac: Mac = GUEST): Buffer {
  const ends = { ...toAll, source };
  return ipv6Frame(ends, IP_PROTOCOL.icmpv6, neighbourAdvertisement(ends, target, mac));
}

function solicited(source: Ipv6, target: Ipv6, mac: Mac = GUEST): Buffer {
  const ends = { ...toAll, source };
  return ipv6Frame(ends, IP_PROTOCOL.icmpv6, solicitation(ends, target, mac));
}

/** A message of a DHCP client (RFC 2131 §2). */
function request(client: Mac, { source = [0, 0, 0, 0], port = 68, hlen = 6, bytes = 300 } = {}): Buffer {
  const message = Buffer.alloc(bytes);
  Buffer.from([1, 1, hlen, 0]).copy(message);
  Buffer.from(macToBytes(client)).copy(message, 28);
  return ipv4(source, IP_PROTOCOL.udp, udp(port, 67, message));
}

function lastFrame(number: number): Buffer {
  const data = Buffer.alloc(32);
  data.writeUInt32BE(number);
  return ipv4(ADDRESS, IP_PROTOCOL.udp, udp(7, 7, data));
}

const FORGED: readonly (readonly [what: string, kind: RefusalKind, frame: Buffer])[] = [
  ['IPv4 from another Ethernet address', 'wrong-mac', ipv4(ADDRESS, IP_PROTOCOL.udp, udp(9, 9, DATA), UNKNOWN)],
  ['IPv4 from a foreign address', 'wrong-address', ipv4(VICTIM, IP_PROTOCOL.udp, udp(9, 9, DATA))],
  ['IPv4 from no address', 'wrong-address', ipv4([0, 0, 0, 0], IP_PROTOCOL.udp, udp(9, 9, DATA))],
  ['an ARP reply for a foreign address', 'wrong-address', arp(2, GUEST, VICTIM, FAR)],
  ['a gratuitous ARP request for a foreign address', 'wrong-address', arp(1, GUEST, VICTIM)],
  ['an ARP reply with a foreign Ethernet address', 'wrong-mac', arp(2, FAR, ADDRESS, FAR)],
  ['an ARP reply from no address', 'wrong-address', arp(2, GUEST, [0, 0, 0, 0])],
  [
    'IPv6 from a foreign address',
    'wrong-address',
    ipv6Frame({ ...toFar, source: victim }, IP_PROTOCOL.udp, udp(9, 9, DATA)),
  ],
  [
    'IPv6 from a foreign link-local address',
    'wrong-address',
    ipv6Frame({ ...toFar, source: linkLocalOf(FAR) }, IP_PROTOCOL.udp, udp(9, 9, DATA)),
  ],
  [
    'IPv6 from no address',
    'wrong-address',
    ipv6Frame({ ...toFar, source: UNSPECIFIED }, IP_PROTOCOL.udp, udp(9, 9, DATA)),
  ],
  ['a neighbour advertisement for a foreign address', 'wrong-address', advertised(ipv6, victim)],
  ['a neighbour advertisement from a foreign address', 'wrong-address', advertised(victim, victim)],
  ['a neighbour advertisement with a foreign Ethernet address', 'wrong-mac', advertised(ipv6, ipv6, FAR)],
  [
    'a neighbour advertisement for a foreign address behind headers',
    'wrong-address',
    ipv6Frame(
      toAll,
      NEXT.hopByHop,
      Buffer.concat([padding(IP_PROTOCOL.icmpv6), neighbourAdvertisement(toAll, victim, GUEST)]),
    ),
  ],
  ['a neighbour solicitation with a foreign Ethernet address', 'wrong-mac', solicited(ipv6, victim, FAR)],
  ['a neighbour solicitation from a foreign address', 'wrong-address', solicited(victim, ipv6)],
  ['a check whether a foreign address is free', 'wrong-address', solicited(UNSPECIFIED, victim)],
  ['a router advertisement', 'router', ipv6Frame(toAll, IP_PROTOCOL.icmpv6, advertisement(toAll))],
  ['a redirect', 'router', ipv6Frame(toAll, IP_PROTOCOL.icmpv6, icmpv6(toAll, 137, Buffer.alloc(36)))],
  ['a DHCP offer', 'dhcp-server', ipv4(ADDRESS, IP_PROTOCOL.udp, udp(67, 68, DATA))],
  ['a DHCP request for another guest', 'wrong-mac', request(FAR)],
  ["a DHCP release of another guest's address", 'wrong-mac', request(FAR, { source: ADDRESS })],
  ['a DHCP request for another guest from another port', 'wrong-mac', request(FAR, { source: ADDRESS, port: 67 })],
  ['a DHCP request for a longer address', 'wrong-mac', request(GUEST, { hlen: 16 })],
  ['a DHCP request that ends before the address', 'wrong-mac', request(GUEST, { bytes: 24 })],
  ['a DHCPv6 answer', 'dhcp-server', ipv6Frame(toFar, IP_PROTOCOL.udp, udp(547, 546, DATA))],
  ['a frame with a tag', 'tagged', tagged(ipv4(ADDRESS, IP_PROTOCOL.udp, udp(9, 9, DATA)), TAG.customer, 0)],
  ['a frame of another protocol', 'link-protocol', plainFrame(GUEST, FAR)],
  ['an LLC frame', 'link-protocol', llcFrame({ from: GUEST, to: FAR }, [0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd])],
];

const OWN: readonly (readonly [what: string, frame: Buffer])[] = [
  ['IPv4', ipv4(ADDRESS, IP_PROTOCOL.udp, udp(9, 9, DATA))],
  ['a request of a DHCP client', request(GUEST)],
  ['an ARP request', arp(1, GUEST, ADDRESS)],
  ['an ARP probe', arp(1, GUEST, [0, 0, 0, 0])],
  ['an ARP reply', arp(2, GUEST, ADDRESS, FAR)],
  ['IPv6', ipv6Frame(toFar, IP_PROTOCOL.udp, udp(9, 9, DATA))],
  ['IPv6 from the link-local address', ipv6Frame({ ...toFar, source: linkLocal }, IP_PROTOCOL.udp, udp(9, 9, DATA))],
  ['a neighbour advertisement', advertised(ipv6, ipv6)],
  ['a neighbour advertisement of the link-local address', advertised(linkLocal, linkLocal)],
  ['a neighbour solicitation', solicited(ipv6, victim)],
  ['a check whether its address is free', solicited(UNSPECIFIED, ipv6)],
  [
    'a router solicitation',
    ipv6Frame(
      { ...toAll, source: UNSPECIFIED },
      IP_PROTOCOL.icmpv6,
      icmpv6({ ...toAll, source: UNSPECIFIED }, 133, Buffer.alloc(4)),
    ),
  ],
  [
    'a report of the groups that it hears',
    ipv6Frame(
      { ...toAll, source: UNSPECIFIED },
      IP_PROTOCOL.icmpv6,
      icmpv6({ ...toAll, source: UNSPECIFIED }, 143, Buffer.alloc(24)),
    ),
  ],
];

let place: GuardedBridge;
let nft: Nft;

beforeAll(async () => {
  place = new GuardedBridge(own.bridgeMac, lastFrame);
  nft = await Nft.open({ netns: place.netns.path });
});

afterAll(async () => {
  await nft.close();
  place[Symbol.dispose]();
});

beforeEach(async () => {
  await nft.run('flush ruleset\n');
});

/** Writes the table. The far end then says a word, as the bridge knows its address, too. */
async function guard(trusted = false): Promise<void> {
  const guest = { portId: 'a', mac: GUEST, tap: false, addresses: [parseIpv4('10.7.0.10'), ipv6], trusted };
  const ports = [{ link: 'tap0', network: network.id, plugged: true, unplugging: false, guest }];
  const items = desiredItems(nodeInput([{ network, members: [], host0Answers: true }], { machine: node, ports }));
  for (const item of items.values()) {
    if (item.kind === 'ruleset') await nft.run(rulesetScript(item));
  }
  place.far.send(plainFrame(FAR, GUEST));
}

async function refused(): Promise<Partial<Record<RefusalKind, number>>> {
  const listing = await nft.listSet('bridge', 'meshwork', REFUSED_SET);
  return Object.fromEntries(parseRefused(listing).map(({ kind, frames }) => [kind, frames]));
}

describe.each(['0', '1'])('with bridge-nf-call %s', (value) => {
  beforeAll(() => {
    for (const name of ['iptables', 'ip6tables', 'arptables']) {
      inside(place.netns.path, 'sysctl', '-q', '-w', `net.bridge.bridge-nf-call-${name}=${value}`);
    }
  });

  test('every forged frame passes without the table, and none with it; each is counted by its kind', async () => {
    for (const [what, , frame] of FORGED) expect(await place.arrived(frame), what).toBe(1);
    await guard();
    for (const [what, kind, frame] of FORGED) {
      const before = (await refused())[kind] ?? 0;
      expect(await place.arrived(...Array(FRAMES).fill(frame)), what).toBe(0);
      expect((await refused())[kind], what).toBe(before + FRAMES);
    }
  });

  test("the guest's own frames pass", async () => {
    await guard();
    for (const [what, frame] of OWN) expect(await place.arrived(...Array(FRAMES).fill(frame)), what).toBe(FRAMES);
    expect(await refused()).toEqual({});
  });
});

test('a router may advertise itself, serve DHCP, and send as others', async () => {
  await guard(true);
  for (const [what, , frame] of FORGED) expect(await place.arrived(frame), what).toBe(1);
  expect(await refused()).toEqual({});
});

test('a frame above the MTU of the network is counted, and goes on', async () => {
  await guard();
  const largest = network.mtuBytes - 28;
  expect(await place.arrived(ipv4(ADDRESS, IP_PROTOCOL.udp, udp(9, 9, Buffer.alloc(largest))))).toBe(1);
  expect(await refused()).toEqual({});
  expect(await place.arrived(ipv4(ADDRESS, IP_PROTOCOL.udp, udp(9, 9, Buffer.alloc(largest + 1))))).toBe(1);
  expect(await refused()).toEqual({ 'too-large': 1 });
});

test('a guest that broadcasts without end is held to a thousand frames a second', async () => {
  await guard();
  const frames = Array(3_000).fill(arp(1, GUEST, ADDRESS));
  const { arrived, allowed } = await place.flood(frames, { perSec: 1_000, burst: 1_000 });
  expect(arrived).toBeGreaterThanOrEqual(1_000);
  expect(arrived).toBeLessThanOrEqual(allowed);
  expect((await refused()).broadcast).toBe(3_000 - arrived);
});

test.each([
  ['DHCP', request(GUEST)],
  ['DHCPv6', ipv6Frame({ ...toFar, source: linkLocal }, IP_PROTOCOL.udp, udp(546, 547, DATA))],
])('a guest that asks for addresses of %s without end is held to two requests a second', async (_, frame) => {
  await guard();
  const { arrived, allowed } = await place.flood(Array(1_000).fill(frame), { perSec: 2, burst: 64 });
  expect(arrived).toBeGreaterThanOrEqual(64);
  expect(arrived).toBeLessThanOrEqual(allowed);
  expect((await refused())['dhcp-flood']).toBe(1_000 - arrived);
});
