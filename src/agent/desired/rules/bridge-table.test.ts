/**
 * Proves with real frames what the bridge table lets through. Each kind of frame arrives without the table, so that it is the
 * table that stops it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nodeInput } from '../../../../test/kit/desired-input.ts';
import {
  ALL_NODES,
  advertisement,
  type Ends,
  fragment,
  framesOn,
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
import { inside, ip } from '../../../../test/kit/namespaces.ts';
import { member, mesh } from '../../../../test/kit/networks.ts';
import { Nft } from '../../../kernel/nft.ts';
import { encodeEthernet, IP_PROTOCOL } from '../../../kernel/sockets/ethernet.ts';
import type { Ipv4 } from '../../../model/address/ipv4.ts';
import { parseIpv6 } from '../../../model/address/ipv6.ts';
import { parseMac } from '../../../model/address/mac.ts';
import { machineIdOf } from '../../../model/machine.ts';
import { memberAddresses } from '../../../model/network/member.ts';
import { parseRefused, REFUSED_SET, type RefusalKind } from '../../items/refusal.ts';
import { rulesetScript } from '../../items/ruleset.ts';
import { SystemKernel } from '../../kernel/system-kernel.ts';
import { desiredItems } from '../desired.ts';

const network = mesh('manage', 456, { prefix: 'fd42:0:0:456::/64' });
const node = machineIdOf('here');
const own = memberAddresses(network, node);
const host0 = memberAddresses(network, 'host0');
const other = member(network, machineIdOf('other'), '10.11.0.3' as Ipv4);
/** It polls from behind a port of this node, so that its underlay address is this node's. */
const behind = member(network, machineIdOf('behind'), '10.11.0.2' as Ipv4);
const otherLinkLocal = parseIpv6(other.ipv6.replace(/^fd42:0:0:456:/, 'fe80::'));

const GUEST = parseMac('02:00:00:00:00:0a');
const FAR = parseMac('02:00:00:00:00:0b');
const UNKNOWN = parseMac('02:00:00:00:00:0c');
const guestIpv6 = parseIpv6('fd42:0:0:456::a');
const farIpv6 = parseIpv6('fd42:0:0:456::b');

const toFar: Ends = { from: GUEST, to: FAR, source: guestIpv6, destination: farIpv6 };
const toAll: Ends = { from: GUEST, to: ALL_NODES[0], source: parseIpv6('fe80::a'), destination: ALL_NODES[1] };
const IPV4 = { source: [10, 97, 0, 10], destination: [255, 255, 255, 255] };
const DHCP = Buffer.alloc(32, 7);
/** So long that the upper-layer header is not in the first fragment. */
const LONG = 64;

const ra = ipv6Frame(toAll, IP_PROTOCOL.icmpv6, advertisement(toAll));
const offer = ipv4Frame(toFar, IPV4, IP_PROTOCOL.udp, udp(67, 68, DHCP));

function experiment(from = GUEST, to = FAR): Buffer {
  return plainFrame(from, to);
}

function behindHeaders(ends: Ends, next: number, payload: Buffer): Buffer {
  return ipv6Frame(ends, NEXT.hopByHop, Buffer.concat([padding(NEXT.destination), padding(next), payload]));
}

const OF_ALL_PORTS: readonly (readonly [what: string, kind: RefusalKind, frame: Buffer])[] = [
  ['a frame from the Ethernet address of a member', 'member-mac', experiment(other.mac)],
  ['a frame from the Ethernet address of host0', 'member-mac', experiment(host0.bridgeMac)],
  ["a frame from this node's bridge", 'member-mac', experiment(own.bridgeMac)],
  [
    'a tagged frame from the Ethernet address of a member',
    'member-mac',
    tagged(experiment(other.mac), TAG.customer, 0),
  ],
  ['a packet from the IPv6 address of host0', 'member-address', udpFrom(host0.ipv6)],
  [
    'a packet from the IPv6 address of host0 behind a tag',
    'member-address',
    tagged(udpFrom(host0.ipv6), TAG.customer, 0),
  ],
  [
    'a packet from the IPv6 address of host0 behind two tags',
    'tagged',
    tagged(tagged(udpFrom(host0.ipv6), TAG.customer, 0), TAG.customer, 0),
  ],
  [
    'a packet from the IPv6 address of host0 behind a service tag and another one',
    'tagged',
    tagged(tagged(udpFrom(host0.ipv6), TAG.service, 5), TAG.customer, 0),
  ],
  ['a packet from the IPv6 address of a member', 'member-address', udpFrom(other.ipv6)],
  [
    'a neighbour advertisement for a member behind a tag',
    'member-address',
    tagged(advertisementFor(other.ipv6), TAG.customer, 0),
  ],
  ['a packet from the link-local address of a member', 'member-address', udpFrom(otherLinkLocal)],
  ['a neighbour advertisement for a member', 'member-address', advertisementFor(other.ipv6)],
  ['a neighbour advertisement for this node', 'member-address', advertisementFor(own.ipv6)],
  [
    'a neighbour advertisement for host0 behind extension headers',
    'member-address',
    behindHeaders(toAll, IP_PROTOCOL.icmpv6, neighbourAdvertisement(toAll, host0.ipv6, GUEST)),
  ],
  [
    'a solicitation from the address of a member',
    'member-address',
    ((ends) => ipv6Frame(ends, IP_PROTOCOL.icmpv6, solicitation(ends, farIpv6, GUEST)))({
      ...toFar,
      source: other.ipv6,
    }),
  ],
];

const OF_PLUGGED_PORTS: typeof OF_ALL_PORTS = [
  ['a router advertisement', 'router', ra],
  [
    'a router advertisement behind extension headers',
    'router',
    behindHeaders(toAll, IP_PROTOCOL.icmpv6, advertisement(toAll)),
  ],
  ['a router advertisement behind a tag of VLAN 0', 'tagged', tagged(ra, TAG.customer, 0)],
  ['a router advertisement behind a service tag', 'tagged', tagged(ra, TAG.service, 0)],
  ['a router advertisement behind an old service tag', 'tagged', tagged(ra, TAG.old, 5)],
  ['a router advertisement behind two tags', 'tagged', tagged(tagged(ra, TAG.customer, 0), TAG.customer, 0)],
  [
    'a router advertisement in a first fragment',
    'fragment',
    ipv6Frame(toAll, NEXT.fragment, Buffer.concat([fragment(IP_PROTOCOL.icmpv6, 0, true), advertisement(toAll)])),
  ],
  [
    'a first fragment that ends before the ICMPv6 header',
    'fragment',
    ipv6Frame(
      toAll,
      NEXT.fragment,
      Buffer.concat([fragment(NEXT.destination, 0, true), padding(IP_PROTOCOL.icmpv6, LONG)]),
    ),
  ],
  [
    'a first fragment that ends within its extension header',
    'fragment',
    ipv6Frame(
      toAll,
      NEXT.fragment,
      Buffer.concat([fragment(NEXT.destination, 0, true), padding(IP_PROTOCOL.icmpv6, LONG).subarray(0, 16)]),
    ),
  ],
  ['a redirect', 'router', ipv6Frame(toAll, IP_PROTOCOL.icmpv6, icmpv6(toAll, 137, Buffer.alloc(36)))],
  ['an MLD query', 'router', behindHeaders(toAll, IP_PROTOCOL.icmpv6, icmpv6(toAll, 130, Buffer.alloc(20)))],
  ['an IGMP query', 'router', ipv4Frame(toFar, IPV4, 2, Buffer.from([0x11, 0, 0, 0, 0, 0, 0, 0]))],
  ['an ICMP redirect', 'router', ipv4Frame(toFar, IPV4, IP_PROTOCOL.icmp, Buffer.from([5, 1, 0, 0, 10, 97, 0, 10]))],
  ['a DHCP offer', 'dhcp-server', offer],
  ['a DHCP offer from another port', 'dhcp-server', ipv4Frame(toFar, IPV4, IP_PROTOCOL.udp, udp(999, 68, DHCP))],
  ['a DHCP offer behind a tag', 'tagged', tagged(offer, TAG.customer, 0)],
  ['a DHCP offer behind two tags', 'tagged', tagged(tagged(offer, TAG.service, 0), TAG.customer, 0)],
  [
    'a DHCP offer in a first fragment',
    'dhcp-server',
    ipv4Frame(toFar, IPV4, IP_PROTOCOL.udp, udp(67, 68, DHCP).subarray(0, 8), { more: true }),
  ],
  ['a DHCPv6 answer', 'dhcp-server', ipv6Frame(toFar, IP_PROTOCOL.udp, udp(999, 546, DHCP))],
  [
    'a DHCPv6 answer behind extension headers in a first fragment',
    'fragment',
    ipv6Frame(
      toFar,
      NEXT.fragment,
      Buffer.concat([fragment(NEXT.destination, 0, true), padding(IP_PROTOCOL.udp), udp(999, 546, DHCP)]),
    ),
  ],
  [
    'a BPDU',
    'link-protocol',
    llcFrame({ from: GUEST, to: parseMac('01:80:c2:00:00:00') }, [0x42, 0x42, 3, 0, 0, 0, 0, 0]),
  ],
  ['an LLC frame', 'link-protocol', llcFrame({ from: GUEST, to: FAR }, [0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd])],
  ['a frame to an address for bridges', 'link-protocol', experiment(GUEST, parseMac('01:80:c2:00:00:00'))],
];

const ALLOWED: readonly (readonly [what: string, frame: Buffer])[] = [
  ['a frame of an unknown type', experiment()],
  ['a packet from its own address', udpFrom(guestIpv6)],
  ['a frame of a member that polls from behind a port', experiment(behind.mac)],
  ['a neighbour advertisement for itself', advertisementFor(guestIpv6)],
  ['a request of a DHCP client', ipv4Frame(toFar, IPV4, IP_PROTOCOL.udp, udp(68, 67, DHCP))],
  [
    'a large ping in fragments',
    ipv6Frame(toFar, NEXT.fragment, Buffer.concat([fragment(IP_PROTOCOL.icmpv6, 0, true), icmpv6(toFar, 128, DHCP)])),
  ],
  [
    'a later fragment',
    ipv6Frame(toFar, NEXT.fragment, Buffer.concat([fragment(IP_PROTOCOL.icmpv6, 64, false), Buffer.alloc(16)])),
  ],
  [
    'a first fragment of UDP',
    ipv6Frame(toFar, NEXT.fragment, Buffer.concat([fragment(IP_PROTOCOL.udp, 0, true), udp(5000, 53, DHCP)])),
  ],
];

function udpFrom(source: Ends['source']): Buffer {
  return ipv6Frame({ ...toFar, source }, IP_PROTOCOL.udp, udp(9, 9, DHCP));
}

function advertisementFor(target: Ends['source']): Buffer {
  return ipv6Frame(toAll, IP_PROTOCOL.icmpv6, neighbourAdvertisement(toAll, target, GUEST));
}

let place: GuardedBridge;
let nft: Nft;

beforeAll(async () => {
  place = new GuardedBridge(own.bridgeMac, (number) => plainFrame(GUEST, FAR, number));
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
async function guard(port: 'plugged' | 'direct'): Promise<void> {
  const members = [member(network, 'host0', '10.11.0.1' as Ipv4), other, behind];
  const ports = [{ link: 'tap0', network: network.id, plugged: port === 'plugged', unplugging: false }];
  const items = desiredItems(nodeInput([{ network, members, host0Answers: true }], { machine: node, ports }));
  for (const item of items.values()) {
    if (item.kind === 'ruleset' && item.family === 'bridge') await nft.run(rulesetScript(item));
  }
  place.far.send(experiment(FAR, GUEST));
}

async function refused(): Promise<Partial<Record<RefusalKind, number>>> {
  const listing = await nft.listSet('bridge', 'meshwork', REFUSED_SET);
  return Object.fromEntries(parseRefused(listing).map(({ kind, frames }) => [kind, frames]));
}

describe.each(['plugged', 'direct'] as const)('from a %s port', (port) => {
  const stopped = port === 'plugged' ? [...OF_ALL_PORTS, ...OF_PLUGGED_PORTS] : OF_ALL_PORTS;

  test.each(stopped)('%s does not pass, and is counted', async (_, kind, frame) => {
    expect(await place.arrived(frame)).toBe(1);
    await guard(port);
    expect(await place.arrived(frame)).toBe(0);
    expect(await refused()).toEqual({ [kind]: 1 });
  });

  test.each(ALLOWED)('%s passes', async (_, frame) => {
    await guard(port);
    expect(await place.arrived(frame)).toBe(1);
    expect(await refused()).toEqual({});
  });
});

test('from a port that was put on the bridge by hand, a router and a DHCP server are let through', async () => {
  await guard('direct');
  const isTag = (type: number) => Object.values<number>(TAG).includes(type);
  const oneTag = OF_PLUGGED_PORTS.filter(([, , frame]) => !isTag(frame.readUInt16BE(16)));
  for (const [, , frame] of oneTag) expect(await place.arrived(frame)).toBe(1);
  expect(await refused()).toEqual({});
});

test('host0 and members enter by the VXLAN', async () => {
  await guard('plugged');
  const heard: Buffer[] = [];
  using guest = framesOn(place.guestEnd, 'eth0', (bytes) => heard.push(Buffer.from(bytes)));
  for (const from of [host0.bridgeMac, other.mac, FAR]) place.far.send(experiment(from, GUEST));
  // The last frame has the sender of no rule.
  await expect.poll(() => heard.length).toBeGreaterThanOrEqual(3);
  expect(guest).toBeDefined();
  expect(await refused()).toEqual({});
});

test('host0 does not enter by a port that the rules do not know yet', async () => {
  await guard('direct');
  await nft.run('delete element bridge meshwork entrances { "tap0" : goto direct-456 }\n');
  expect(await place.arrived(experiment(host0.bridgeMac))).toBe(0);
  expect(await place.arrived(experiment(GUEST))).toBe(1);
});

test('a frame for bridges, which passes no rule, does not move the entry of a member', async () => {
  const { path } = place.netns;
  const kernel = await SystemKernel.open(() => {}, { netns: path });
  const lldp = encodeEthernet({ from: other.mac, to: parseMac('01:80:c2:00:00:0e'), type: 0x88cc }, Buffer.alloc(46));
  const learnsLinkLocal = async (learnsLinkLocal: boolean) => {
    await kernel.rtnl.apply([{ do: 'link-set', link: 'br456', change: { bridge: { learnsLinkLocal } } }]);
    inside(path, 'bridge', 'fdb', 'replace', other.mac, 'dev', 'vxlan456', 'master', 'dynamic');
    await place.arrived(lldp);
    return new RegExp(`${other.mac} dev (\\S+)`).exec(inside(path, 'bridge', 'fdb', 'show', 'br', 'br456'))?.[1];
  };
  await guard('plugged');
  expect(await learnsLinkLocal(true)).toBe('tap0');
  expect(await learnsLinkLocal(false)).toBe('vxlan456');
  await kernel.close();
});

test('a port has few new senders, and those before a flood go on', async () => {
  await guard('direct');
  const flood = Array.from({ length: 2_000 }, (_, i) =>
    experiment(parseMac(`0a:00:00:00:${hex(i >> 8)}:${hex(i & 255)}`)),
  );
  await place.arrived(experiment());
  const { arrived, allowed } = await place.flood(flood, { perSec: 4, burst: 1_024 });
  expect(arrived).toBeGreaterThanOrEqual(1_023);
  expect(arrived).toBeLessThanOrEqual(allowed);
  expect(await place.arrived(experiment())).toBe(1);
  expect((await refused())['new-source']).toBe(2_000 - arrived);
});

test('frames to unknown addresses are few, and those to known ones many', async () => {
  await guard('direct');
  await place.arrived(experiment());
  const frames = Array(3_000).fill(experiment(GUEST, UNKNOWN));
  const { arrived, allowed } = await place.flood(frames, { perSec: 1_000, burst: 1_000 });
  expect(arrived).toBeGreaterThanOrEqual(1_000);
  expect(arrived).toBeLessThanOrEqual(allowed);
  expect((await refused())['unknown-destination']).toBe(3_000 - arrived);
  expect(await place.arrived(...Array(3_000).fill(experiment()))).toBe(3_000);
});

test('solicitations take few places of the neighbour table', async () => {
  ip(place.netns.path, `address add ${own.ipv6}/64 dev br456 nodad`);
  await guard('direct');
  const solicit = (i: number): Buffer => {
    const ends = {
      from: GUEST,
      to: own.bridgeMac,
      source: parseIpv6(`fd42:0:0:456::f:${i.toString(16)}`),
      destination: own.ipv6,
    };
    return ipv6Frame(ends, IP_PROTOCOL.icmpv6, solicitation(ends, own.ipv6, GUEST));
  };
  await place.arrived(...Array.from({ length: 300 }, (_, i) => solicit(i + 1)));
  const entries = inside(place.netns.path, 'ip', '-6', 'neighbour', 'show', 'dev', 'br456').split('\n').length - 1;
  expect(entries).toBeGreaterThanOrEqual(60);
  expect(entries).toBeLessThan(100);
  expect((await refused())['new-neighbour']).toBeGreaterThan(200);
});

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
