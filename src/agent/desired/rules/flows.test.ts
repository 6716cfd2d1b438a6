/** Proves with real frames that a remembered flow of TCP opens no way past the rules of the bridge table. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nodeInput } from '../../../../test/kit/desired-input.ts';
import { type Ends, ipv4Frame, ipv6Frame, TAG, tagged, tcp } from '../../../../test/kit/frames.ts';
import { GuardedBridge, plainFrame } from '../../../../test/kit/guarded-bridge.ts';
import { member, mesh } from '../../../../test/kit/networks.ts';
import { Nft } from '../../../kernel/nft.ts';
import { IP_PROTOCOL } from '../../../kernel/sockets/ethernet.ts';
import type { Ipv4 } from '../../../model/address/ipv4.ts';
import { parseIpv6 } from '../../../model/address/ipv6.ts';
import { type Mac, parseMac } from '../../../model/address/mac.ts';
import { machineIdOf } from '../../../model/machine.ts';
import { memberAddresses } from '../../../model/network/member.ts';
import { parseRefused, REFUSED_SET } from '../../items/refusal.ts';
import { type RulesetItem, rulesetKind } from '../../items/ruleset.ts';
import { desiredItems } from '../desired.ts';

const network = mesh('manage', 456, { prefix: 'fd42:0:0:456::/64' });
const node = machineIdOf('here');
const own = memberAddresses(network, node);
const other = member(network, machineIdOf('other'), '10.11.0.3' as Ipv4);

const GUEST = parseMac('02:00:00:00:00:0a');
const FAR = parseMac('02:00:00:00:00:0b');
const SENDER = parseMac('02:00:00:00:00:0c');
const toFar: Ends = {
  from: SENDER,
  to: FAR,
  source: parseIpv6('fd42:0:0:456::a'),
  destination: parseIpv6('fd42:0:0:456::b'),
};
const IPV4 = { source: [10, 97, 0, 10], destination: [10, 97, 0, 11] };
const ACK = 0x10;
const SYN = 0x02;

let place: GuardedBridge;
let nft: Nft;
let written: RulesetItem | undefined;

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
  written = undefined;
  await guard();
  // The bridge knows the address of the far end when that has said a word.
  place.far.send(plainFrame(FAR, GUEST));
});

/** Writes the table, or changes the written one. @param macs Ethernet addresses of further members */
async function guard(...macs: readonly Mac[]): Promise<void> {
  const further = macs.map((mac, i) => ({ ...member(network, machineIdOf(`${i}`), '10.11.0.9' as Ipv4), mac }));
  const members = [member(network, 'host0', '10.11.0.1' as Ipv4), other, ...further];
  const ports = [{ link: 'tap0', network: network.id, plugged: true, unplugging: false }];
  const items = desiredItems(nodeInput([{ network, members, host0Answers: true }], { machine: node, ports }));
  for (const item of items.values()) {
    if (item.kind !== 'ruleset' || item.family !== 'bridge') continue;
    const operations = written === undefined ? rulesetKind.create(item) : rulesetKind.change(written, item);
    for (const operation of operations) if (operation.do === 'nft') await nft.run(operation.script);
    written = item;
  }
}

async function refused(): Promise<object> {
  const listing = await nft.listSet('bridge', 'meshwork', REFUSED_SET);
  return Object.fromEntries(parseRefused(listing).map(({ kind, frames }) => [kind, frames]));
}

describe.each([
  ['IPv6', 'flows_ip6', (ends: Ends, flags: number) => ipv6Frame(ends, IP_PROTOCOL.tcp, tcp(flags))],
  ['IPv4', 'flows_ip', (ends: Ends, flags: number) => ipv4Frame(ends, IPV4, IP_PROTOCOL.tcp, tcp(flags))],
] as const)('a flow of TCP over %s', (_, set, segment) => {
  const flows = async () => [...(await nft.listSet('bridge', 'meshwork', set)).matchAll(/ expires /g)].length;

  test('is remembered from its SYN on, and forgotten when a member comes', async () => {
    expect(await place.arrived(segment(toFar, SYN))).toBe(1);
    expect(await flows()).toBe(1);
    expect(await place.arrived(segment(toFar, ACK), segment(toFar, ACK))).toBe(2);
    expect(await flows()).toBe(1);
    await guard(SENDER);
    expect(await flows()).toBe(0);
    expect(await place.arrived(segment(toFar, ACK))).toBe(0);
    expect(await refused()).toEqual({ 'member-mac': 1 });
  });

  test('has one sender and no tag: all else takes the long way', async () => {
    expect(await place.arrived(segment(toFar, ACK))).toBe(1);
    expect(await place.arrived(segment({ ...toFar, from: other.mac }, ACK))).toBe(0);
    expect(await place.arrived(tagged(segment(toFar, ACK), TAG.customer, 0))).toBe(0);
    expect(await refused()).toEqual({ 'member-mac': 1, tagged: 1 });
  });
});

test('a packet from the address of a member is no part of a flow', async () => {
  const segment = (source: Ends['source']) => ipv6Frame({ ...toFar, source }, IP_PROTOCOL.tcp, tcp(ACK));
  expect(await place.arrived(segment(toFar.source), segment(other.ipv6), segment(toFar.source))).toBe(2);
  expect(await refused()).toEqual({ 'member-address': 1 });
});
