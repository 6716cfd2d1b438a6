/** Makes, looks at and removes the way out of a namespace: a macvlan on a NIC, the device of the translator, routes, NAT44. */
import { closeSync, openSync } from 'node:fs';
import { inNetns } from '../../kernel/netns.ts';
import { Nft } from '../../kernel/nft.ts';
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import type { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import { announceGuest } from '../../kernel/sockets/announcement.ts';
import { readSysctl, writeSysctl } from '../../kernel/sysctl.ts';
import { makeTun } from '../../kernel/tap/tap.ts';
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
/** The device answers ARP for addresses with a route elsewhere: exactly those that are mapped. */
const SETTINGS = [
  [['net', 'ipv4', 'conf', OUTER_LINK, 'proxy_arp'], '1'],
  [['net', 'ipv6', 'conf', OUTER_LINK, 'disable_ipv6'], '1'],
] as const;

/** Makes what is missing, and announces the addresses: neighbours take the new way at once. @throws MESH_KERNEL_* */
export async function makeOuter(outer: OuterPlace, { path, inside, home }: OuterNamespaces): Promise<void> {
  // The rules are there before the first packet.
  await withNft(path, (nft) => nft.run(outerScript(outer)));
  // A translator that starts before the device is there makes one that ends with it.
  if ((await inside.link(TRANSLATOR_LINK)) === undefined) makeTun(TRANSLATOR_LINK, { netns: path });
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
  inNetns(path, () => {
    for (const [name, value] of SETTINGS) writeSysctl(name, value);
  });
  const { address, length } = outer;
  await done(inside, { do: 'link-set', link: OUTER_LINK, change: { up: true } });
  await done(inside, {
    do: 'link-set',
    link: TRANSLATOR_LINK,
    change: { mtuBytes: TRANSLATOR_MTU_BYTES, addressMode: 'none' },
  });
  await done(inside, { do: 'link-set', link: TRANSLATOR_LINK, change: { up: true } });
  const index = (await inside.link(OUTER_LINK))?.index;
  const addresses = (await inside.addresses()).filter((one) => one.link === index && one.family === 4);
  for (const old of addresses.filter((one) => one.address !== address || one.length !== length))
    await done(inside, { do: 'address-delete', link: OUTER_LINK, address: old.address, length: old.length });
  if (!addresses.some((one) => one.address === address && one.length === length))
    await done(inside, { do: 'address-add', link: OUTER_LINK, address, length });
  const wanted = routesOf(outer);
  const wantedNames = new Set(wanted.map(({ destination }) => destination));
  for (const { destination } of (await ownRoutes(inside)).filter((route) => !wantedNames.has(route.destination)))
    await done(inside, { do: 'route-delete', destination, protocol: OUR_PROTOCOL });
  for (const route of wanted) await done(inside, route);
  if (index === undefined) return;
  const own = [address, ...outer.translation.maps.map(({ ipv4 }) => ipv4)];
  inNetns(path, () => announceGuest({ index, name: OUTER_LINK }, outer.mac, own));
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
  if (!tun?.up) return [`${TRANSLATOR_LINK} is not there, or is down`];
  const flaws: string[] = [];
  const have = (await inside.addresses()).filter((one) => one.link === link.index && one.family === 4);
  if (have.map(({ address, length }) => `${address}/${length}`).join() !== `${outer.address}/${outer.length}`)
    flaws.push(`${OUTER_LINK} has not exactly the address ${outer.address}/${outer.length}`);
  const text = (list: readonly { readonly destination: string; readonly gateway?: string }[]) =>
    [...new Set(list.map(({ destination, gateway }) => `${destination} ${gateway ?? ''}`))].sort().join();
  if (text(await ownRoutes(inside)) !== text(routesOf(outer))) flaws.push('the routes are others');
  inNetns(path, () => {
    for (const [name, value] of SETTINGS)
      if (readSysctl(name) !== value) flaws.push(`${name.join('.')} is not ${value}`);
  });
  const table = await withNft(path, (nft) => nft.list('inet', OUTER_TABLE));
  if (!isOuterTable(outer, table)) flaws.push(`the table ${OUTER_TABLE} is another`);
  return flaws;
}

/** IPv6 packets of the prefix, and IPv4 packets for the addresses of guests, go through the translator; the rest of a block nowhere. */
function routesOf({ gateway, blocks, translation }: OuterPlace): RouteChange[] {
  const { prefix, ipv4, ipv6, pool, maps } = translation;
  const through = [prefix, `${ipv6}/128`, `${ipv4}/32`, pool, ...maps.map((map) => `${map.ipv4}/32`)];
  const common = { do: 'route-replace', protocol: OUR_PROTOCOL } as const;
  return [
    ...through.map((destination): RouteChange => ({ ...common, destination, link: TRANSLATOR_LINK })),
    ...blocks.map((destination): RouteChange => ({ ...common, destination, blackhole: true })),
    ...(gateway === undefined ? [] : [{ ...common, destination: '0.0.0.0/0', gateway, link: OUTER_LINK }]),
  ];
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
    rule: 'The router of a network reaches the outside by the device that its NAT64 names.',
    remedy: 'Name a device that all routers have, or give the role to other nodes: `mesh node role add NODE router`.',
    retryable: true,
  });
}
