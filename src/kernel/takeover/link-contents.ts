/** What one or two links have: addresses, routes, rules that name them, and lasting neighbour entries. */

import { errnoError } from '../libc.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import { type Message, NLM_F_DUMP, NLM_F_REQUEST } from '../netlink/netlink.ts';
import { RTM_NEWADDR, writeAddressDump } from '../rtnl/address.ts';
import { RTM_NEWNEIGH, writeNeighbourDump } from '../rtnl/neighbour.ts';
import { encodeOne } from '../rtnl/request.ts';
import { RTM_NEWROUTE } from '../rtnl/route.ts';
import type { RtnlChannel } from '../rtnl/rtnl-channel.ts';
import { RTM_NEWRULE } from '../rtnl/rule.ts';
import { type AddressCopy, copyAddress } from './address-copy.ts';
import type { CopiedMessage } from './copied-message.ts';
import { copyNeighbour, type NeighbourCopy } from './neighbour-copy.ts';
import { copyRoute, type RouteCopy } from './route-copy.ts';
import { copyRule, type RuleCopy } from './rule-copy.ts';

const RTM_GETROUTE = 26;
const RTM_GETRULE = 34;

/** All that is on links, in the order of the kernel. */
export interface LinkContents {
  readonly addresses: readonly AddressCopy[];
  /** Of all tables. */
  readonly routes: readonly RouteCopy[];
  readonly rules: readonly RuleCopy[];
  readonly neighbours: readonly NeighbourCopy[];
}

/**
 * Reads what links have.
 * @param links their indexes
 * @param names their names, which rules are by
 * @throws MESH_KERNEL_REFUSED, MESH_KERNEL_MALFORMED
 */
export async function readContents(
  channel: RtnlChannel,
  links: ReadonlySet<number>,
  names: ReadonlySet<string>,
): Promise<LinkContents> {
  const addresses = await dump(channel, 'addresses', writeAddressDump, RTM_NEWADDR, copyAddress);
  const routes = await dump(channel, 'routes', writeRoutesDump, RTM_NEWROUTE, copyRoute);
  const rules = await dump(channel, 'rules', writeRulesDump, RTM_NEWRULE, copyRule);
  const neighbours = await dump(channel, 'neighbours', writeNeighbourDump, RTM_NEWNEIGH, copyNeighbour);
  return {
    addresses: addresses.filter(({ link }) => links.has(link)),
    routes: routes.filter((route) => route.links.some((link) => links.has(link))),
    rules: rules.filter((rule) => rule.names.some((name) => names.has(name))),
    neighbours: neighbours.filter(({ link }) => links.has(link)),
  };
}

/** All tables of both families. */
function writeRoutesDump(writer: MessageWriter): void {
  writer.begin(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP);
  for (let word = 0; word < 3; word++) writer.u32(0);
  writer.end();
}

function writeRulesDump(writer: MessageWriter): void {
  writer.begin(RTM_GETRULE, NLM_F_REQUEST | NLM_F_DUMP);
  for (let word = 0; word < 3; word++) writer.u32(0);
  writer.end();
}

async function dump<T extends { readonly message: CopiedMessage }>(
  channel: RtnlChannel,
  what: string,
  write: (writer: MessageWriter) => void,
  type: number,
  copy: (message: Message) => T | undefined,
): Promise<T[]> {
  const read = (message: Message): T | undefined => (message.type === type ? copy(message) : undefined);
  const { objects, refusal, unreadable } = await channel.ask(encodeOne(write), read);
  if (refusal !== undefined) throw errnoError(refusal.errno, 'read', what, undefined, refusal.text);
  if (unreadable !== undefined) throw unreadable;
  // A dump that was interrupted is read again, and has objects several times.
  return [...new Map(objects.map((object) => [keyOf(object.message), object])).values()];
}

function keyOf({ struct, attributes }: CopiedMessage): string {
  return [struct, ...attributes.map(({ value }) => value)].map((bytes) => bytes.toString('hex')).join();
}
