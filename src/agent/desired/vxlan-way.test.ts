/** On a real kernel: VXLAN to the segments behind host0 goes through host0, and nothing else does. */

import { expect, test } from 'vitest';
import { nodeDocument } from '../../../test/kit/desired-input.ts';
import { kernelOfEachTest } from '../../../test/kit/kernel-of-each-test.ts';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { manage } from '../../../test/kit/networks.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import { parseMachineId } from '../../model/machine.ts';
import type { Item, ItemMap } from '../items/item.ts';
import { observedItems } from '../kernel/observed.ts';
import { apply } from '../loop/apply.ts';
import { plan, printStep, type Step } from '../loop/plan.ts';
import { meshAttachment } from './assignment.ts';
import { desiredItems } from './desired.ts';
import { firstRule, vxlanWay } from './vxlan-way.ts';

const here = kernelOfEachTest();
const cidrs = (...texts: string[]) => texts as Ipv4Cidr[];

function host0For(segments: readonly Ipv4Cidr[]) {
  const [ipv4, local] = ['10.11.0.1' as Ipv4, '10.11.0.2' as Ipv4];
  return { role: 'node', ipv4, local, device: 'eth0', onLink: true, segments, reachable: [] } as const;
}

/** The items of a node on 10.11.0.0/24, as its kernel is now. @param segments those that host0 lists */
async function node(segments: readonly Ipv4Cidr[]): Promise<ItemMap> {
  const host0 = host0For(segments);
  const attachments = [meshAttachment({ network: manage, members: [], host0Answers: true })];
  const { rules = [] } = await here().kernel.dump(() => true);
  const machine = parseMachineId('10eff964');
  const priority = firstRule(rules) ?? 0;
  return desiredItems({
    machine,
    routes: false,
    host0,
    document: nodeDocument(attachments),
    ports: [],
    firstRule: priority,
  });
}

const SEGMENTS = cidrs('10.11.0.0/24', '10.11.1.0/24', '10.12.0.0/16');

function isWay({ kind }: Item): boolean {
  return kind === 'route' || kind === 'rule';
}

/** The steps that bring the routes and rules in line with the desired ones. */
async function steps(desired: ItemMap): Promise<Step[]> {
  const cache = KernelTables.of(await here().kernel.dump(() => true));
  return plan(observedItems(cache, desired), desired, { mayDelete: () => true }).filter(({ item }) => isWay(item));
}

async function take(desired: ItemMap): Promise<void> {
  const outcomes = await apply(await steps(desired), here().kernel);
  expect(outcomes.flatMap(({ error }) => error ?? [])).toEqual([]);
  expect((await steps(desired)).map(printStep)).toEqual([]);
}

/** The gateway of the route that a packet would take. */
function gateway(to: string, ...packet: string[]): string | undefined {
  const [route] = JSON.parse(inside(here().netns.path, 'ip', '-j', 'route', 'get', to, ...packet)) as {
    gateway?: string;
  }[];
  return route?.gateway;
}

function makeNode(): void {
  ip(
    here().netns.path,
    'link add eth0 type veth peer name wire0',
    'link set eth0 up',
    'link set wire0 up',
    'address add 10.11.0.2/24 dev eth0',
    'route add default via 10.11.0.254',
  );
}

const VXLAN = ['ipproto', 'udp', 'sport', '40000', 'dport', '4789'];

test("only VXLAN goes through host0: a node's own traffic keeps its way", async () => {
  makeNode();
  // An earlier agent sent all traffic to that segment through host0.
  ip(here().netns.path, 'route add 10.11.1.0/24 via 10.11.0.1 proto 200');
  expect(gateway('10.11.1.254')).toBe('10.11.0.1');
  await take(await node(SEGMENTS));
  for (const to of ['10.11.1.254', '10.12.7.7']) {
    expect([gateway(to), gateway(to, ...VXLAN)]).toEqual(['10.11.0.254', '10.11.0.1']);
    expect((await here().kernel.routeTo(to as Ipv4, 4789)).gateway).toBe('10.11.0.1');
  }
  expect(gateway('10.11.0.7', ...VXLAN)).toBeUndefined();
  expect(gateway('192.0.2.1', ...VXLAN)).toBe('10.11.0.254');
});

test('a VPN that takes all traffic does not take VXLAN', async () => {
  makeNode();
  await take(await node(SEGMENTS));
  ip(
    here().netns.path,
    'tuntap add mode tun tun0',
    'link set tun0 up',
    'route add default dev tun0 table 51820',
    'rule add not fwmark 0xca6c lookup 51820',
    'rule add table main suppress_prefixlength 0',
  );
  await take(await node(SEGMENTS));
  expect(gateway('10.11.1.7', ...VXLAN)).toBe('10.11.0.1');
});

test('rules and routes go with the segments, and those of others stay', async () => {
  makeNode();
  ip(here().netns.path, 'rule add pref 4000 to 10.99.0.0/16 lookup 99', 'route add 10.99.0.0/16 dev eth0 table 99');
  await take(await node(SEGMENTS));
  await take(await node(cidrs('10.11.0.0/24')));
  expect(inside(here().netns.path, 'ip', 'rule')).not.toContain('ipproto');
  expect(inside(here().netns.path, 'ip', 'route', 'show', 'table', 'all')).not.toContain('10.11.1.0/24');
  expect(inside(here().netns.path, 'ip', 'rule')).toContain('lookup 99');
});

test('a rule that another program has changed is made again', async () => {
  makeNode();
  const desired = await node(SEGMENTS);
  await take(desired);
  ip(here().netns.path, 'rule delete pref 32700', 'rule add pref 32700 ipproto udp dport 53 lookup 4789 protocol 200');
  expect((await steps(desired)).map(({ action, key }) => `${action} ${key}`)).toEqual(['recreate rule:32700']);
  await take(desired);
  expect(gateway('10.11.1.7', ...VXLAN)).toBe('10.11.0.1');
});

test('packets of those segments are believed on the link to host0', async () => {
  const table = (await node(SEGMENTS)).get('nft:inet meshwork');
  expect(table?.kind === 'ruleset' && table.body).toContain('iifname "eth0" ip saddr 10.11.1.0/24 return');
});

test('on a kernel without rules, which has one table, the routes are for all packets', () => {
  expect(firstRule([])).toBeUndefined();
  const items = vxlanWay(host0For(SEGMENTS), true, undefined);
  expect(items.map(({ kind }) => kind)).toEqual(['route', 'route']);
});
