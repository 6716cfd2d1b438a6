/** Deferred deletes of links in a real namespace. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ip } from '../../../test/kit/namespaces.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { MeshError } from '../../model/error.ts';
import type { Vni } from '../../model/network/types/vxlan.ts';
import { type TemporaryNetns, temporaryNetns } from '../netns.ts';
import type { KernelOperation } from './operation.ts';
import { DEFERRED_ALIAS, Reaper } from './reaper.ts';
import { Rtnl } from './rtnl.ts';

let netns: TemporaryNetns;
let rtnl: Rtnl;
let reaper: Reaper;
let reported: MeshError[];

beforeEach(async () => {
  netns = temporaryNetns();
  rtnl = await Rtnl.open({ netns: netns.path });
  reported = [];
  reaper = await Reaper.open(rtnl, (error) => reported.push(error));
});

afterEach(async () => {
  await reaper.close();
  await rtnl.close();
  netns.close();
});

function vnis(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

function names(vni: number): string[] {
  return [`vxlan${vni}`, `br${vni}`];
}

async function make(...numbers: readonly number[]): Promise<void> {
  const operations = numbers.flatMap((vni): KernelOperation[] => [
    { do: 'link-add', kind: 'bridge', name: `br${vni}`, mac: parseMac('02:00:00:00:00:01') },
    vxlan(vni),
    { do: 'link-set', link: `vxlan${vni}`, change: { alias: 'meshwork:vxlan:x', addressMode: 'none', up: true } },
    { do: 'link-set', link: `br${vni}`, change: { alias: 'meshwork:bridge:x', addressMode: 'none', up: true } },
    { do: 'address-add', link: `br${vni}`, address: parseIpv6('fd42::1'), length: 64, nodad: true },
  ]);
  expect(await rtnl.apply(operations)).toEqual(operations.map(() => undefined));
}

function vxlan(vni: number): KernelOperation {
  const attributes = { vni: vni as Vni, udpPort: 4789, learning: true, df: 'inherit' } as const;
  return { do: 'link-add', kind: 'vxlan', name: `vxlan${vni}`, master: `br${vni}`, vxlan: attributes };
}

test('a deferred pair frees its names at once, carries no packets, and is deleted later', async () => {
  await make(1);
  expect(await reaper.deferDelete(names(1))).toEqual([undefined, undefined]);
  expect((await rtnl.links()).filter(({ name }) => names(1).includes(name))).toEqual([]);
  expect(await rtnl.addresses()).toEqual([]);
  const rest = (await rtnl.links()).filter(({ alias }) => alias === DEFERRED_ALIAS);
  expect(rest.every(({ name, up, master }) => name.startsWith('mwx') && !up && master === 0)).toBe(true);
  await reaper.idle();
  expect((await rtnl.links()).map(({ name }) => name)).toEqual(['lo']);
  expect(reported).toEqual([]);
});

test('a request is answered while many links are still to be deleted', async () => {
  await make(...vnis(12));
  await reaper.deferDelete(vnis(12).flatMap(names));
  await make(100);
  // One message deletes at most six links: when the request is answered, most still exist.
  const left = (await rtnl.links()).filter(({ alias }) => alias === DEFERRED_ALIAS);
  expect(left.length).toBeGreaterThan(0);
  await reaper.idle();
  expect((await rtnl.links()).map(({ name }) => name).toSorted()).toEqual(['br100', 'lo', 'vxlan100']);
});

test('a foreign link in one of our groups survives', async () => {
  ip(netns.path, 'link add foreign type bridge');
  const groups = Array.from({ length: 4 }, (_, i) => 0x6d777800 + i);
  const foreignLinks = groups.map((group) => `link add s${group & 255} group ${group} type bridge`);
  ip(netns.path, ...foreignLinks, 'link set foreign alias meshwork:deleting-not');
  await make(...vnis(5));
  await reaper.deferDelete(vnis(5).flatMap(names));
  await reaper.idle();
  expect((await rtnl.links()).map(({ name }) => name)).toEqual(['lo', 'foreign', 's0', 's1', 's2', 's3']);
  expect(reported).toEqual([]);
});

test('a network that comes back gets its VXLAN back, or waits until the VNI is free', async () => {
  await make(...vnis(9));
  const before = await rtnl.link('vxlan9');
  await reaper.deferDelete(vnis(9).flatMap(names));
  expect(await reaper.rescue({ name: 'vxlan9', vni: 9 as Vni, udpPort: 4789 })).toBe(true);
  expect(await rtnl.link('vxlan9')).toMatchObject({
    index: before?.index,
    alias: '',
    group: 0,
    master: 0,
    up: false,
    vxlan: before?.vxlan,
  });
  expect(await reaper.rescue({ name: 'vxlan1', vni: 1 as Vni, udpPort: 4789 })).toBe(false);
  await make(1);
  expect(await reaper.rescue({ name: 'vxlan2', vni: 2 as Vni, udpPort: 8472 })).toBe(false);
  expect(await reaper.rescue({ name: 'vxlan77', vni: 77 as Vni, udpPort: 4789 })).toBe(false);
  await reaper.idle();
  expect((await rtnl.links()).map(({ name }) => name).toSorted()).toEqual(['br1', 'lo', 'vxlan1', 'vxlan9']);
});

test('deletes the links that an earlier process deferred', async () => {
  await make(...vnis(8));
  await reaper.deferDelete(vnis(8).flatMap(names));
  await reaper.close();
  expect((await rtnl.links()).length).toBeGreaterThan(1);
  reaper = await Reaper.open(rtnl, (error) => reported.push(error));
  expect(await reaper.rescue({ name: 'vxlan8', vni: 8 as Vni, udpPort: 4789 })).toBe(true);
  await reaper.idle();
  expect((await rtnl.links()).map(({ name }) => name)).toEqual(['lo', 'vxlan8']);
});

test('an absent link is an error; the others are deleted', async () => {
  await make(1);
  const [absent, present] = await reaper.deferDelete(['vxlan2', 'vxlan1']);
  expect(absent?.cause).toMatchObject({ name: 'ENODEV' });
  expect(present).toBeUndefined();
  await reaper.idle();
  expect((await rtnl.links()).map(({ name }) => name)).toEqual(['lo', 'br1']);
});

test('a deferred link that another program deletes is no error', async () => {
  await make(...vnis(6));
  await reaper.deferDelete(vnis(6).flatMap(names));
  const last = (await rtnl.links()).findLast(({ alias }) => alias === DEFERRED_ALIAS);
  await rtnl.apply([{ do: 'link-delete', link: last?.name ?? '' }]);
  await reaper.idle();
  expect(reported).toEqual([]);
  expect((await rtnl.links()).map(({ name }) => name)).toEqual(['lo']);
});

test('a closed socket ends the work with one report', async () => {
  await make(...vnis(4));
  await reaper.deferDelete(vnis(4).flatMap(names));
  await rtnl.close();
  await reaper.idle();
  expect(reported.map(({ code }) => code)).toEqual(['MESH_KERNEL_CLOSED']);
});
