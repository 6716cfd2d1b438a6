/** The routes of a namespace to the guests and routers of its network, and the announcement of its addresses there. */
import { isIpv6 } from '../../kernel/ip.ts';
import { inNetns } from '../../kernel/netns.ts';
import type { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import { announceGuest } from '../../kernel/sockets/announcement.ts';
import { isLinkLocal } from '../../model/address/ipv6.ts';
import { OUR_PROTOCOL } from '../items/mark.ts';
import { type ServiceSpace, SPACE_LINK } from '../items/space/service-space.ts';

/** Makes exactly the routes of the space by `SPACE_LINK`. @throws MESH_KERNEL_REFUSED */
export async function furnishRoutes({ routes = [] }: ServiceSpace, inside: Rtnl): Promise<void> {
  const wanted = new Set(routes.map(({ destination }) => destination));
  const old = (await innerRoutes(inside)).filter(({ destination }) => !wanted.has(destination));
  const common = { protocol: OUR_PROTOCOL, link: SPACE_LINK };
  const changes = [
    ...old.map(({ destination }) => ({ do: 'route-delete', destination, ...common }) as const),
    ...routes.map((route) => ({ do: 'route-replace', ...route, ...common }) as const),
  ];
  const error = (await inside.apply(changes)).find((refusal) => refusal !== undefined);
  if (error !== undefined) throw error;
}

/** What is not as wanted, in some words. */
export async function routeFlaws({ routes = [] }: ServiceSpace, inside: Rtnl): Promise<string[]> {
  const text = (list: readonly { readonly destination: string; readonly gateway?: string | undefined }[]) =>
    list
      .map(({ destination, gateway }) => `${destination} ${gateway ?? ''}`)
      .sort()
      .join();
  return text(await innerRoutes(inside)) === text(routes) ? [] : ['the routes to the guests are others'];
}

/** Tells the guests where the addresses of the space are now: they may have been on another router. */
export async function announce({ path, mac, addresses }: ServiceSpace, inside: Rtnl): Promise<void> {
  const index = (await inside.link(SPACE_LINK))?.index;
  const own = addresses.map(({ address }) => address).filter((address) => !isIpv6(address) || !isLinkLocal(address));
  if (index !== undefined && own.length > 0) inNetns(path, () => announceGuest({ index, name: SPACE_LINK }, mac, own));
}

async function innerRoutes(inside: Rtnl) {
  const index = (await inside.link(SPACE_LINK))?.index;
  return await inside.routes(({ protocol, link }) => protocol === OUR_PROTOCOL && link === index);
}
