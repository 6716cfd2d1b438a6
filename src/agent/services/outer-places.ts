/** Makes, looks at and removes the way out of a namespace: a macvlan on a NIC, the device of the translator, routes, rules. */
import { closeSync, openSync } from 'node:fs';
import { type Ip, isIpv6 } from '../../kernel/ip.ts';
import { inNetns } from '../../kernel/netns.ts';
import { Nft } from '../../kernel/nft.ts';
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import type { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import { announceGuest } from '../../kernel/sockets/announcement.ts';
import { readSysctl, writeSysctl } from '../../kernel/sysctl.ts';
import { makeTun } from '../../kernel/tap/tap.ts';
import { isLinkLocal } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { TRANSLATOR_LINK } from '../../services/tayga/tayga-conf.ts';
import { OUR_LINK_GROUP, OUR_PROTOCOL } from '../items/mark.ts';
import { OUTER_LINK, type OuterPlace } from '../items/space/outer-place.ts';
import { SPACE_LINK } from '../items/space/service-space.ts';
import { isOuterTable, OUTER_TABLE, outerScript } from './outer-rules.ts';

/** Where a way out is made. */
export interface OuterNamespaces {
  /** Path of the namespace of the network. */
  readonly path: string;
  readonly inside: Rtnl;
  /** The namespace with the NICs. */
  readonly home: Rtnl;
}

type RouteChange = Extract<KernelOperation, { readonly destination: string }>;

/** What a packet becomes on its way: IPv6 headers are 20 bytes longer, and a VXLAN-carried guest has less than 1,500 anyway. */
const TRANSLATOR_MTU_BYTES = 1_500;
/** The routes to everywhere. */
const EVERYWHERE = { ipv4: '0.0.0.0/0', ipv6: '::/0' } as const;

/**
 * With a translator, the device answers ARP for addresses with a route elsewhere: exactly those that are mapped. When an address goes,
 * others of its subnet stay.
 */
function settingsOf({ addresses, translation }: OuterPlace) {
  const hasIpv6 = addresses.some(({ address }) => isIpv6(address));
  return [
    [['net', 'ipv4', 'conf', 'all', 'promote_secondaries'], '1'],
    [['net', 'ipv4', 'conf', OUTER_LINK, 'proxy_arp'], translation === undefined ? '0' : '1'],
    [['net', 'ipv6', 'conf', OUTER_LINK, 'disable_ipv6'], hasIpv6 ? '0' : '1'],
  ] as const;
}

/** Makes what is missing, and announces the addresses: neighbours take the new way at once. @throws MESH_KERNEL_* */
export async function makeOuter(outer: OuterPlace, { path, inside, home }: OuterNamespaces): Promise<void> {
  // The rules are there before the first packet.
  await withNft(path, (nft) => nft.run(outerScript(outer)));
  await makeTranslator(outer, { path, inside });
  const before = await inside.link(OUTER_LINK);
  if (before !== undefined && before.mac !== outer.mac) await done(inside, { do: 'link-delete', link: OUTER_LINK });
  if (before?.mac !== outer.mac) {
    if ((await home.link(outer.device)) === undefined) throw noDevice(outer.device);
    const netnsFd = openSync(path, 'r');
    try {
      const link = {
        kind: 'macvlan',
        name: OUTER_LINK,
        lower: outer.device,
        mac: outer.mac,
        group: OUR_LINK_GROUP,
      } as const;
      await done(home, { do: 'link-add', ...link, netnsFd });
    } finally {
      closeSync(netnsFd);
    }
  }
  // Before the device may have IPv6: else the kernel gives it an address.
  await done(inside, { do: 'link-set', link: OUTER_LINK, change: { addressMode: 'none' } });
  inNetns(path, () => {
    for (const [name, value] of settingsOf(outer)) writeSysctl(name, value);
  });
  await done(inside, { do: 'link-set', link: OUTER_LINK, change: { up: true } });
  const index = (await inside.link(OUTER_LINK))?.index;
  const have = (await inside.addresses()).filter((one) => one.link === index);
  const isIn = (list: OuterPlace['addresses'], one: OuterPlace['addresses'][number]) =>
    list.some(({ address, length }) => address === one.address && length === one.length);
  for (const { address, length } of have.filter((one) => !isIn(outer.addresses, one)))
    await done(inside, { do: 'address-delete', link: OUTER_LINK, address, length });
  for (const { address, length } of outer.addresses.filter((one) => !isIn(have, one)))
    await done(inside, {
      ...{ do: 'address-add', link: OUTER_LINK, address, length },
      ...(isIpv6(address) && { nodad: true }),
    });
  const wanted = routesOf(outer);
  const wantedNames = new Set(wanted.map(({ destination }) => destination));
  for (const { destination } of (await ownRoutes(inside)).filter((route) => !wantedNames.has(route.destination)))
    await done(inside, { do: 'route-delete', destination, protocol: OUR_PROTOCOL });
  for (const route of wanted) await done(inside, route);
  if (index === undefined) return;
  const mapped = outer.translation?.maps.map(({ ipv4 }) => ipv4) ?? [];
  const own = outer.addresses.map(({ address }) => address).filter((one) => !isIpv6(one) || !isLinkLocal(one));
  inNetns(path, () => announceGuest({ index, name: OUTER_LINK }, outer.mac, [...own, ...mapped]));
}

/** A translator that starts before the device is there makes one that ends with it. */
async function makeTranslator({ translation }: OuterPlace, { path, inside }: Omit<OuterNamespaces, 'home'>) {
  const isThere = (await inside.link(TRANSLATOR_LINK)) !== undefined;
  if (translation === undefined) {
    if (isThere) await done(inside, { do: 'link-delete', link: TRANSLATOR_LINK });
    return;
  }
  if (!isThere) makeTun(TRANSLATOR_LINK, { netns: path });
  const change = { mtuBytes: TRANSLATOR_MTU_BYTES, addressMode: 'none' } as const;
  await done(inside, { do: 'link-set', link: TRANSLATOR_LINK, change });
  await done(inside, { do: 'link-set', link: TRANSLATOR_LINK, change: { up: true } });
}

/** Removes all of it; nothing happens where there is none. @throws MESH_KERNEL_* */
export async function removeOuter({ path, inside }: Omit<OuterNamespaces, 'home'>): Promise<void> {
  for (const link of [OUTER_LINK, TRANSLATOR_LINK])
    if ((await inside.link(link)) !== undefined) await done(inside, { do: 'link-delete', link });
  for (const { destination } of await ownRoutes(inside))
    await done(inside, { do: 'route-delete', destination, protocol: OUR_PROTOCOL });
  await withNft(path, (nft) => nft.run(`table inet ${OUTER_TABLE}\ndelete table inet ${OUTER_TABLE}\n`));
}

/** What is not as wanted, each in some words. @param outer undefined: nothing shall be there */
export async function outerFlaws(outer: OuterPlace | undefined, { path, inside }: Omit<OuterNamespaces, 'home'>) {
  const [link, tun] = [await inside.link(OUTER_LINK), await inside.link(TRANSLATOR_LINK)];
  if (outer === undefined) return link === undefined && tun === undefined ? [] : [`${OUTER_LINK} is there`];
  if (link?.mac !== outer.mac || !link.up) return [`${OUTER_LINK} is not there, or is down`];
  if (outer.translation !== undefined && !tun?.up) return [`${TRANSLATOR_LINK} is not there, or is down`];
  if (outer.translation === undefined && tun !== undefined) return [`${TRANSLATOR_LINK} is there`];
  const flaws: string[] = [];
  const have = (await inside.addresses()).filter((one) => one.link === link.index);
  if (addressesText(have) !== addressesText(outer.addresses))
    flaws.push(`${OUTER_LINK} has not exactly the addresses ${addressesText(outer.addresses)}`);
  const text = (list: readonly { readonly destination: string; readonly gateway?: string }[]) =>
    [...new Set(list.map(({ destination, gateway }) => `${destination} ${gateway ?? ''}`))].sort().join();
  if (text(await ownRoutes(inside)) !== text(routesOf(outer))) flaws.push('the routes are others');
  inNetns(path, () => {
    for (const [name, value] of settingsOf(outer))
      if (readSysctl(name) !== value) flaws.push(`${name.join('.')} is not ${value}`);
  });
  const table = await withNft(path, (nft) => nft.list('inet', OUTER_TABLE));
  if (!isOuterTable(outer, table)) flaws.push(`the table ${OUTER_TABLE} is another`);
  return flaws;
}

/** IPv6 packets of the prefix, and IPv4 packets for the addresses of guests, go through the translator; the rest of a block nowhere. */
function routesOf({ gateways, blocks, translation }: OuterPlace): RouteChange[] {
  const through = translation === undefined ? [] : throughTranslator(translation);
  const common = { do: 'route-replace', protocol: OUR_PROTOCOL } as const;
  return [
    ...through.map((destination): RouteChange => ({ ...common, destination, link: TRANSLATOR_LINK })),
    ...blocks.map((destination): RouteChange => ({ ...common, destination, blackhole: true })),
    ...gateways.map((gateway): RouteChange => {
      const destination = isIpv6(gateway) ? EVERYWHERE.ipv6 : EVERYWHERE.ipv4;
      return { ...common, destination, gateway, link: OUTER_LINK };
    }),
  ];
}

function throughTranslator({ prefix, ipv4, ipv6, pool, maps }: NonNullable<OuterPlace['translation']>): string[] {
  return [prefix, `${ipv6}/128`, `${ipv4}/32`, pool, ...maps.map((map) => `${map.ipv4}/32`)];
}

function addressesText(list: readonly { readonly address: Ip; readonly length: number }[]): string {
  return list
    .map(({ address, length }) => `${address}/${length}`)
    .sort()
    .join(', ');
}

/** The routes that were made here. Those to the guests are the space's (inner-routes.ts). */
async function ownRoutes(inside: Rtnl) {
  const inner = (await inside.link(SPACE_LINK))?.index;
  return await inside.routes(
    ({ protocol, link }) => protocol === OUR_PROTOCOL && (link === undefined || link !== inner),
  );
}

async function withNft<T>(netns: string, use: (nft: Nft) => Promise<T>): Promise<T> {
  const nft = await Nft.open({ netns });
  try {
    return await use(nft);
  } finally {
    await nft.close();
  }
}

async function done(rtnl: Rtnl, operation: KernelOperation): Promise<void> {
  const [error] = await rtnl.apply([operation]);
  if (error !== undefined) throw error;
}

function noDevice(device: string): MeshError {
  return new MeshError('MESH_UNDERLAY_DEVICE', `there is no device ${device} on this node`, {
    object: device,
    rule: 'The router of a network reaches the outside by the device that its service names.',
    remedy: 'Name a device that all routers have, or give the role to other nodes: `mesh node role add NODE router`.',
    retryable: true,
  });
}
