/**
 * Proves against the real nft, in a namespace, that the tables are valid and that element changes equal a whole write.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mesh } from '../../../test/kit/networks.ts';
import { type TemporaryNetns, temporaryNetns } from '../../kernel/netns.ts';
import { Nft } from '../../kernel/nft.ts';
import { type Ipv4, type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { type RulesetItem, rulesetKind } from '../items/ruleset.ts';
import { rulesets } from './ruleset.ts';

const manage = mesh('manage', 456, { prefix: 'fd42:0:0:456::/64' });
const guests = mesh('guests', 500, { prefix: 'fd42:0:0:500::/64' });

const segments = [1, 2].map((n) => ({
  device: `eth${n}`,
  ipv4: `10.11.${n}.1` as Ipv4,
  subnet: `10.11.${n}.0/24` as Ipv4Cidr,
}));

const ports = [
  { link: 'tap0', plugged: true },
  { link: 'veth"; drop', plugged: false },
];

const NOTHING = { segments: [], ports: [], routes: false, openTo: [], underlay: [], onLink: [] } as const;

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
  const sources = new Set(addresses.map(parseIpv4));
  const networks = [manage, guests].map((network) => ({ network, sources }));
  return rulesets({
    networks,
    segments,
    ports,
    routes: false,
    openTo: segments,
    underlay: segments.map(({ device }) => device),
    onLink: [{ device: 'eth3', subnet: '10.11.1.0/24' as Ipv4Cidr }],
  });
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
  expect(inet).toContain('meta iifkind "bridge" iifname . oifname @within accept');
  expect(inet).toContain('iifname @segments drop');
  const bridge = (await nft.list('bridge', 'meshwork')) ?? '';
  expect(bridge).toContain('tcp option maxseg size set 1320');
  expect(bridge).toContain('elements = { "tap0" }');
  expect(bridge).toContain('iifname "tap0" limit rate over 1000/second burst 1000 packets drop');
  expect(bridge).not.toContain('veth');
});

test('adding and deleting elements gives the same table as a whole write', async () => {
  const [before] = tables('10.11.1.2', '10.11.1.3');
  const [after] = tables('10.11.1.3', '10.11.1.4');
  if (before === undefined || after === undefined) throw new Error('no tables');
  await put(before);
  expect(rulesetKind.differences(before, after)).toEqual([
    'add element inet meshwork sources_456 { 10.11.1.4 }',
    'delete element inet meshwork sources_456 { 10.11.1.2 }',
    'add element inet meshwork sources_500 { 10.11.1.4 }',
    'delete element inet meshwork sources_500 { 10.11.1.2 }',
  ]);
  await put(after, before);
  const byElements = await nft.list('inet', 'meshwork');
  await put(after);
  expect(await nft.list('inet', 'meshwork')).toBe(byElements);
});

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
  expect(rulesets({ ...NOTHING, networks: [] })).toEqual([]);
});

test('on a router, host0 separates its segments and leaves their other traffic alone', () => {
  const networks = [{ network: manage, sources: new Set<Ipv4>() }];
  const [inet] = rulesets({ ...NOTHING, networks, segments, routes: true });
  expect(inet?.body).toContain('    iifname @segments oifname @segments drop\n');
  expect(inet?.body).not.toContain('    iifname @segments drop\n');
});
