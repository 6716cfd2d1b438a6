/** Proves with real packets where VXLAN is believed: only where its source is. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { meshRules } from '../../../../test/kit/desired-input.ts';
import { forge } from '../../../../test/kit/forgery.ts';
import { inside, ip } from '../../../../test/kit/namespaces.ts';
import { manage } from '../../../../test/kit/networks.ts';
import { type TemporaryNetns, temporaryNetns } from '../../../kernel/netns.ts';
import { Nft } from '../../../kernel/nft.ts';
import { type Ipv4, type Ipv4Cidr, parseIpv4 } from '../../../model/address/ipv4.ts';
import { type Mac, parseMac } from '../../../model/address/mac.ts';
import { parseMachineId } from '../../../model/machine.ts';
import type { Segment } from '../../../protocol/documents/assignment.ts';
import type { Operation } from '../../items/item-kind.ts';
import { OUTSIDERS_SET, parseOutsiders } from '../../items/outsider.ts';
import { type RulesetItem, rulesetKind, TABLE } from '../../items/ruleset.ts';
import type { OnLinkSubnet } from '../../kernel/shared-subnets.ts';
import type { RuleContribution } from './contribution.ts';
import { ElementSets } from './element-sets.ts';
import { ELSEWHERE, inetTable } from './inet-table.ts';
import { withElements } from './ruleset.ts';
import { sourceSet } from './sender-rules.ts';
import { underlayRules } from './underlay-rules.ts';

const { vni } = manage.type;
const MACHINE = parseMachineId('10eff964');
const SEGMENTS = [1, 2].map((n) => ({
  device: `eth${n}`,
  ipv4: `10.11.${n}.1` as Ipv4,
  subnet: `10.11.${n}.0/24` as Ipv4Cidr,
}));
/** Where the members are. The last one is behind a router. */
const SOURCES = new Set(['10.11.1.2', '10.11.1.9', '10.11.2.2', '10.50.0.7'] as Ipv4[]);
/** What a node with two cards has. */
const NODE = nodeRules();
const HOST0 = host0Rules(SEGMENTS);

function nodeRules(onLink: readonly OnLinkSubnet[] = []): RuleContribution[] {
  const ipv4 = parseIpv4('10.11.1.254');
  const stance = { role: 'node', ipv4, onLink: true, segments: [], reachable: [] } as const;
  return [underlayRules(stance, onLink, false), ...meshRules(manage, MACHINE)];
}

function host0Rules(segments: readonly Segment[]): RuleContribution[] {
  return [underlayRules({ role: 'host0', segments, nics: [] }, [], false), ...meshRules(manage, 'host0')];
}

let stack: DisposableStack;
let nft: Nft;
/** The host with the rules, and machines on its NICs eth1, eth2 and eth3. */
let host: string;
let machines: readonly string[];
let number = 0;

beforeEach(async () => {
  stack = new DisposableStack();
  host = netns().path;
  machines = [1, 2, 3].map((n) => {
    const machine = netns().path;
    ip(host, `link add eth${n} type veth peer name eth0 netns ${machine}`, `link set eth${n} up`);
    // eth3 is on the segment of eth1, and has no address of its own.
    ip(machine, `address add 10.11.${n === 3 ? '1.9' : `${n}.2`}/24 dev eth0`, 'link set eth0 up');
    if (n < 3) ip(host, `address add 10.11.${n}.1/24 dev eth${n}`);
    return machine;
  });
  ip(host, `link add vxlan${vni} type vxlan id ${vni} dstport 4789`, `link set vxlan${vni} up`);
  inside(host, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  nft = await Nft.open({ netns: host });
});

afterEach(async () => {
  await nft.close();
  stack.dispose();
});

function netns(): TemporaryNetns {
  const made = temporaryNetns();
  stack.defer(() => made.close());
  return made;
}

async function apply(input: readonly RuleContribution[]): Promise<void> {
  await perform(rulesetKind.create(tableOf(input, SOURCES)));
}

function tableOf(input: readonly RuleContribution[], sources: ReadonlySet<Ipv4>): RulesetItem {
  const elements = new ElementSets();
  for (const element of sources) elements.add({ set: sourceSet(manage), element });
  return withElements(inetTable(input), elements);
}

async function perform(operations: readonly Operation[]): Promise<void> {
  for (const operation of operations) if (operation.do === 'nft') await nft.run(operation.script);
}

/** Whether the VXLAN at `receiver` takes a packet that the machine on a NIC sends. */
async function isTaken(nic: 1 | 2 | 3, from: string, to: string, receiver = host): Promise<boolean> {
  const netnsOf = machines[nic - 1] ?? '';
  const mac: Mac = parseMac(`06:00:00:00:00:${(++number).toString(16).padStart(2, '0')}`);
  await forge({ netns: netnsOf, vni, from: from as Ipv4, to: to as Ipv4, mac });
  return inside(receiver, 'bridge', 'fdb', 'show', 'dev', `vxlan${vni}`).includes(mac);
}

const dropped = () => nft.packets('inet', TABLE, ELSEWHERE);

test.each([
  ['a node with two cards', NODE],
  ['host0', HOST0],
] as const)('%s takes VXLAN only by the NIC that the source is on', async (_name, input) => {
  await apply(input);
  expect(await isTaken(1, '10.11.1.2', '10.11.1.1')).toBe(true);
  expect(await isTaken(2, '10.11.2.2', '10.11.2.1')).toBe(true);
  expect(await dropped()).toBe(0);
  expect(await isTaken(2, '10.11.1.2', '10.11.2.1')).toBe(false);
  expect(await isTaken(1, '10.11.2.2', '10.11.1.1')).toBe(false);
  expect(await dropped()).toBeGreaterThanOrEqual(6);
  // Its own address, from outside.
  expect(await isTaken(2, '10.11.1.1', '10.11.2.1')).toBe(false);
});

test('host0 forwards VXLAN between its segments only from where its source is', async () => {
  const [first = '', second = ''] = machines;
  ip(second, 'route add 10.11.1.0/24 via 10.11.2.1');
  ip(
    first,
    'route add 10.11.2.0/24 via 10.11.1.1',
    `link add vxlan${vni} type vxlan id ${vni} dstport 4789 local 10.11.1.2`,
    `link set vxlan${vni} up`,
  );
  await apply(HOST0);
  expect(await isTaken(2, '10.11.2.2', '10.11.1.2', first)).toBe(true);
  expect(await isTaken(2, '10.11.1.9', '10.11.1.2', first)).toBe(false);
});

test('where two NICs are on one segment, packets come in by both', async () => {
  await apply(NODE);
  expect(await isTaken(3, '10.11.1.9', '10.11.1.1')).toBe(false);
  await apply(nodeRules([{ device: 'eth3', subnet: '10.11.1.0/24' as Ipv4Cidr }]));
  expect(await isTaken(3, '10.11.1.9', '10.11.1.1')).toBe(true);
  expect(await isTaken(3, '10.11.2.2', '10.11.1.1')).toBe(false);
  await apply(host0Rules(SEGMENTS.map((segment, at) => (at === 0 ? { ...segment, also: ['eth3'] } : segment))));
  expect(await isTaken(3, '10.11.1.9', '10.11.1.1')).toBe(true);
});

test('a sender whose route leads through a router is taken by the NIC of that route', async () => {
  ip(host, 'route add 10.50.0.0/24 via 10.11.2.2');
  await apply(NODE);
  expect(await isTaken(2, '10.50.0.7', '10.11.2.1')).toBe(true);
  expect(await isTaken(1, '10.50.0.7', '10.11.1.1')).toBe(false);
});

test('a member that has left is not taken any more, though its packets have come this way a moment ago', async () => {
  await apply(NODE);
  const paths = async () => (await nft.listSet('inet', TABLE, 'paths_4789_ipv4')).includes(' . 10.11.1.2 . ');
  expect(await isTaken(1, '10.11.1.2', '10.11.1.1')).toBe(true);
  expect(await paths()).toBe(true);
  const left = tableOf(NODE, SOURCES.difference(new Set(['10.11.1.2'])));
  await perform(rulesetKind.change(tableOf(NODE, SOURCES), left));
  expect(await paths()).toBe(false);
  expect(await isTaken(1, '10.11.1.2', '10.11.1.1')).toBe(false);
});

test('host0 counts the senders that it drops, by NIC, address and VNI', async () => {
  ip(host, 'route add 10.60.0.0/24 via 10.11.2.2');
  await apply(HOST0);
  const senders = async () => parseOutsiders(await nft.listSet('inet', TABLE, OUTSIDERS_SET));
  // nft creates the set and prints the rules as they were written: the agent would write the table again otherwise.
  expect(await isTaken(2, '10.11.2.2', '10.11.2.1')).toBe(true);
  expect(await senders()).toEqual([]);
  expect(await isTaken(2, '10.60.0.7', '10.11.2.1')).toBe(false);
  expect(await isTaken(1, '10.61.0.7', '10.11.1.1')).toBe(false);
  expect(await isTaken(2, '10.11.1.2', '10.11.2.1')).toBe(false);
  const packets = expect.any(Number);
  expect((await senders()).toSorted((a, b) => (a.ipv4 < b.ipv4 ? -1 : 1))).toEqual([
    { device: 'eth2', ipv4: '10.11.1.2', vni, packets },
    { device: 'eth2', ipv4: '10.60.0.7', vni, packets },
    { device: 'eth1', ipv4: '10.61.0.7', vni, packets },
  ]);
});

test('the VXLAN of others on this machine is left alone', async () => {
  ip(host, 'link add others type vxlan id 999 dstport 4789', 'link set others up');
  await apply(NODE);
  const mac = parseMac('06:00:00:00:99:99');
  await forge({ netns: machines[1] ?? '', vni: 999, from: '10.11.1.2' as Ipv4, to: '10.11.2.1' as Ipv4, mac });
  expect(inside(host, 'bridge', 'fdb', 'show', 'dev', 'others')).toContain(mac);
});
