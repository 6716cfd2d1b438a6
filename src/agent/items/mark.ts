/** The marks on our objects in the kernel. The agent never touches an object without one. */
import type { NetworkId } from '../../model/network/number.ts';

/**
 * rtm_protocol of our routes and NDA_PROTOCOL of our neighbour entries, in the range that the kernel leaves to
 * administrators.
 */
export const OUR_PROTOCOL = 200;

/** IFLA_GROUP of our links: `mw` in ASCII. The create itself sets it, so a link is marked before it has an alias. */
export const OUR_LINK_GROUP = 0x6d77;

/** The links that a network has on a node: one of each. */
export type DeviceKind = 'bridge' | 'vxlan';

/** The ifalias of a link: `meshwork:<kind>:<network id>`. */
export function aliasOf(device: DeviceKind, network: NetworkId): string {
  return `meshwork:${device}:${network}`;
}

/** The inverse of `aliasOf`; undefined for an alias that is not ours. */
export function parseAlias(alias: string): { device: DeviceKind; network: NetworkId } | undefined {
  const match = /^meshwork:(bridge|vxlan):(.+)$/.exec(alias);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { device: match[1] as DeviceKind, network: match[2] as NetworkId };
}
