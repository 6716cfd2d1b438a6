/**
 * Proves against the real nft, in a namespace, that the tables are valid and that element changes equal a whole write.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { meshRules } from '../../../../test/kit/desired-input.ts';
import { member, mesh } from '../../../../test/kit/networks.ts';
import { type TemporaryNetns, temporaryNetns } from '../../../kernel/netns.ts';
import { Nft } from '../../../kernel/nft.ts';
import { type Ipv4, type Ipv4Cidr, parseIpv4 } from '../../../model/address/ipv4.ts';
import { machineIdOf } from '../../../model/machine.ts';
import { memberAddresses } from '../../../model/network/member.ts';
import { RANK } from '../../items/rank.ts';
import { type RulesetItem, rulesetKind } from '../../items/ruleset.ts';
import { memberGuard, ownGuard } from './address-guard.ts';
import { ElementSets } from './element-sets.ts';
import { elsewhereRules } from './port-rules.ts';
import { rulesets, withElements } from './ruleset.ts';
import { sourceSet } from './sender-rules.ts';
import { underlayRules } from './underlay-rules.ts';

const manage = mesh('manage', 456, { prefix: 'fd42:0:0:456::/64' });
const guests = mesh('guests', 500, { prefix: 'fd42:0:0:500::/64' });

const segments = [1, 2].map((n) => ({
  device: `eth${n}`,
  ipv4: `10.11.${n}.1` as Ipv4,
  subnet: `10.11.${n}.0/24` as Ipv4Cidr,
}));

const ports = [
  { link: 'tap0', network: manage.id, plugged: true, unplugging: false },
  { link: 'tap1', network: guests.id, plugged: false, unplugging: false },
  { link: 'veth"; drop', network: guests.id, plugged: false, unplugging: false },
];

const HOST0 = { role: 'host0', segments, nics: [] } as const;

let netns: TemporaryNetns;
let nft: Nft;

beforeEach(async () => {
  netns = temporaryNetns();
  nft = await Nft.open({ netns: netns.path });
});

afterEach(async () => {
  await nft.close();
  netns.close();
});

async function put(item: RulesetItem, before?: RulesetItem): Promise<void> {
  const operations = before === undefined ? rulesetKind.create(item) : rulesetKind.change(before, item);
  for (const operation of operations) if (operation.do === 'nft') await nft.run(operation.script);
}

function tables(...addresses: string[]): RulesetItem[] {
  const elements = new ElementSets();
  for (const network of [manage, guests]) {
    for (const element of ownGuard(network, memberAddresses(network, 'host0'))) elements.add(element);
    for (const ipv4 of addresses) {
      elements.add({ set: sourceSet(network), element: ipv4 });
      const listed = member(network, machineIdOf(ipv4), parseIpv4(ipv4));
      for (const element of memberGuard(network, listed)) elements.add(element);
    }
  }
  const onLink = [{ device: 'eth3', subnet: '10.11.1.0/24' as Ipv4Cidr }];
  return rulesets([
    underlayRules(HOST0, onLink, false),
    elsewhereRules(['docker1']),
    ...[manage, guests].flatMap((network) =>
      meshRules(
        network,
        'host0',
        ports.filter((port) => port.network === network.id),
      ),
    ),
  ]).map((table) => withElements(table, elements));
}

test('the kernel accepts both tables', async () => {
  for (const item of tables('10.11.1.2', '10.11.1.3')) await put(item);
  const inet = (await nft.list('inet', 'meshwork')) ?? '';
  expect(inet).toContain('udp dport 4789 iifname "eth1" ip saddr 10.11.1.0/24 accept');
  expect(inet).toContain('fib saddr . iif oif missing jump elsewhere');
  expect(inet).toContain('iifname "eth3" ip saddr 10.11.1.0/24 return');
  expect(inet).toContain(
    'iifname != "lo" ip6 daddr & ffff:ffff:ffff:ffff:: vmap { fd42:0:0:456:: : jump home-456, fd42:0:0:500:: : jump home-500 }',
  );
  expect(inet).toContain('@th,96,24 vmap { 456 : jump from-456, 500 : jump from-500 }');
  expect(inet).toContain('meta iifkind "bridge" iifname . oifname @within_segments accept');
  expect(inet).toContain('iifname @segments drop');
  const bridge = (await nft.list('bridge', 'meshwork')) ?? '';
  expect(bridge).toContain('tcp option maxseg size set 1320');
  for (const entrance of [
    '"vxlan456" : goto mesh-456',
    '"tap0" : goto plugged-456',
    '"tap1" : goto direct-500',
    '"docker1" : accept',
  ]) {
    expect(bridge).toContain(entrance);
  }
  expect(bridge).not.toContain('veth');
  // The loop compares elements as text.
  for (const { family, sets } of tables('10.11.1.2', '10.11.1.3')) {
    expect(await elementsOf(family)).toEqual([...sets.values()].flatMap(({ elements }) => [...elements]).sort());
  }
});

test('adding and deleting elements gives the same tables as a whole write', async () => {
  const [before, after] = [tables('10.11.1.2', '10.11.1.3'), tables('10.11.1.3', '10.11.1.4')];
  const [inet, inetAfter] = [before[0], after[0]];
  if (inet === undefined || inetAfter === undefined) throw new Error('no tables');
  expect(rulesetKind.differences(inet, inetAfter)).toEqual([
    'delete element inet meshwork sources_456 { 10.11.1.2 }',
    'add element inet meshwork sources_456 { 10.11.1.4 }',
    'delete element inet meshwork sources_500 { 10.11.1.2 }',
    'add element inet meshwork sources_500 { 10.11.1.4 }',
    'flush set inet meshwork paths_4789_ipv4',
  ]);
  for (const [index, item] of after.entries()) {
    const have = before[index];
    if (have === undefined) throw new Error('no table');
    await put(have);
    expect(rulesetKind.rankOfChange?.(have, item)).toBe(RANK.memberElement);
    await put(item, have);
    const byElements = await elementsOf(item.family);
    await put(item);
    expect(await elementsOf(item.family)).toEqual(byElements);
  }
});

test('a port that is plugged gets the rules for guests before it is on the bridge, and keeps the other elements', async () => {
  const [, before] = tables('10.11.1.2');
  if (before === undefined) throw new Error('no table');
  await put(before);
  const plugged = before.sets.get('entrances');
  if (plugged === undefined) throw new Error('no map');
  const elements = new Set([...plugged.elements].map((text) => text.replace('direct-500', 'plugged-500')));
  const after = { ...before, sets: new Map(before.sets).set('entrances', { ...plugged, elements }) };
  expect(rulesetKind.rankOfChange?.(before, after)).toBe(RANK.rules);
  await put(after, before);
  expect(await elementsOf('bridge')).toContain('"tap1" : goto plugged-500');
  expect(await elementsOf('bridge')).toContain('"tap0" : goto plugged-456');
});

/** The elements of all sets of a table, sorted: nft lists them in the order of their hashes. */
async function elementsOf(family: 'inet' | 'bridge'): Promise<string[]> {
  const text = (await nft.list(family, 'meshwork')) ?? '';
  return [...text.matchAll(/elements = \{([^}]*)\}/g)].flatMap(([, list = '']) => list.trim().split(/,\s+/)).sort();
}

test('a table that another program changed is written whole', async () => {
  const [item] = tables('10.11.1.2');
  if (item === undefined) throw new Error('no tables');
  await put(item);
  const text = await nft.list('inet', 'meshwork');
  await nft.run('flush table inet meshwork\n');
  await put(item, { ...item, intact: false });
  expect(await nft.list('inet', 'meshwork')).toBe(text);
});

test('a node without a network has no table', () => {
  expect(rulesets([underlayRules(HOST0, [], false), elsewhereRules([])])).toEqual([]);
});

test('on a router, host0 separates its segments and leaves their other traffic alone', () => {
  const [inet] = rulesets([underlayRules(HOST0, [], true), ...meshRules(manage, 'host0')]);
  expect(inet?.body).toContain('    iifname @segments oifname @segments drop\n');
  expect(inet?.body).not.toContain('    iifname @segments drop\n');
});
