/** The marks on our objects in the kernel. The agent never touches an object without one. */
import type { NetworkId } from '../../model/network/number.ts';

/**
 * rtm_protocol of our routes and NDA_PROTOCOL of our neighbour entries, in the range that the kernel leaves to
 * administrators.
 */
export const OUR_PROTOCOL = 200;

/** IFLA_GROUP of our links: `mw` in ASCII. The create itself sets it, so a link is marked before it has an alias. */
export const OUR_LINK_GROUP = 0x6d77;

/** The links that a network has on a node: one bridge, one VXLAN, a tap for each guest, and host0's device where it leads. */
export type DeviceKind = 'bridge' | 'vxlan' | 'tap' | 'host0';

/** The ifalias of a bridge, VXLAN or device of host0: `meshwork:<kind>:<network id>`. */
export function aliasOf(device: Exclude<DeviceKind, 'tap'>, network: NetworkId): string {
  return `meshwork:${device}:${network}`;
}

/** The ifalias of a tap: `meshwork:tap:<network id>:<port id>`. */
export function tapAlias(network: NetworkId, portId: string): string {
  return `meshwork:tap:${network}:${portId}`;
}

/** What an ifalias says. */
export interface LinkMark {
  readonly device: DeviceKind;
  readonly network: NetworkId;
  /** The id of a tap's port. */
  readonly portId?: string;
}

/** Each pass asks for the marks of all links, several times: those of the last aliases are kept. */
const MARKS_MAX = 8_192;
const marks = new Map<string, LinkMark | undefined>();

/** The inverse of `aliasOf` and `tapAlias`; undefined for an alias that is not ours. */
export function parseAlias(alias: string): LinkMark | undefined {
  if (!alias.startsWith('meshwork:')) return undefined;
  if (marks.has(alias)) return marks.get(alias);
  if (marks.size >= MARKS_MAX) marks.clear();
  const mark = markOf(alias);
  marks.set(alias, mark);
  return mark;
}

function markOf(alias: string): LinkMark | undefined {
  const [, device, network, portId] = /^meshwork:(bridge|vxlan|tap|host0):([^:]+)(?::([0-9a-f]+))?$/.exec(alias) ?? [];
  if (device === undefined || network === undefined || (device === 'tap') !== (portId !== undefined)) return undefined;
  const mark = { device: device as DeviceKind, network: network as NetworkId };
  return portId === undefined ? mark : { ...mark, portId };
}
