/** The kernel's part: a card goes under its bridge with all that it has, and comes back, from any state between the two. */

import { temporaryNetns } from '../kernel/netns.ts';
import type { Link } from '../kernel/rtnl/objects.ts';
import { Rtnl } from '../kernel/rtnl/rtnl.ts';
import { RtnlChannel } from '../kernel/rtnl/rtnl-channel.ts';
import { readContents } from '../kernel/takeover/link-contents.ts';
import { copySettings } from '../kernel/takeover/link-settings.ts';
import type { RouteCopy } from '../kernel/takeover/route-copy.ts';
import { TakeoverBatch } from '../kernel/takeover/takeover-batch.ts';
import { MeshError } from '../model/error.ts';
import type { NicRecord } from './nic-record.ts';

/** The part of a record that the kernel's state follows from. */
export type SwitchNames = Pick<
  NicRecord,
  'card' | 'cardAfter' | 'bridge' | 'bridgeBefore' | 'bridgeIndex' | 'mac' | 'addressMode' | 'mtuBytes'
>;

/** A route more would make the batch larger than the kernel takes in one call. */
export const ROUTES_MAX = 1000;

/** The links of this network namespace. @throws MESH_KERNEL_REFUSED */
export async function linksHere(): Promise<Link[]> {
  const rtnl = await Rtnl.open();
  try {
    return await rtnl.links();
  } finally {
    await rtnl.close();
  }
}

/**
 * Puts the card under the bridge.
 * @param made notes the number of the new bridge, before anything else changes
 * @throws MESH_KERNEL_REFUSED; then some of it may be done, and `unbridge` brings it back
 */
export async function bridge(names: SwitchNames, made: (bridgeIndex: number) => Promise<void>): Promise<void> {
  const { card, cardAfter, bridgeBefore, mac, mtuBytes } = names;
  const rtnl = await Rtnl.open();
  const channel = new RtnlChannel(undefined);
  try {
    // Where a bridge of this name has come meanwhile, it is another one's: nothing of it changes.
    const [exists] = await rtnl.apply([
      { do: 'link-add', kind: 'bridge', name: bridgeBefore, mac, mtuBytes, bridge: { forwardDelaySec: 0 } },
    ]);
    if (exists !== undefined) throw exists;
    await made(linkCalled(await rtnl.links(), bridgeBefore).index);
    // The bridge is up before it gets its port: so its queue is there when the first packet is sent.
    const [refused] = await rtnl.apply([
      { do: 'link-set', link: bridgeBefore, change: { addressMode: 'none', up: true } },
    ]);
    if (refused !== undefined) throw refused;
    copySettings(card, bridgeBefore);
    const links = await rtnl.links();
    const [from, to] = [linkCalled(links, card), linkCalled(links, bridgeBefore)];
    const contents = await readContents(channel, new Set([from.index]), new Set([card]));
    const batch = new TakeoverBatch();
    if (cardAfter !== card) {
      const whileUp = await renamesWhileUp();
      if (!whileUp) batch.change({ index: from.index, up: false });
      batch.change({ index: from.index, name: cardAfter });
      if (!whileUp) batch.change({ index: from.index, up: true });
      batch.change({ index: to.index, name: names.bridge });
    }
    batch.change({ index: from.index, master: to.index });
    batch.move(contents, { ...from, nameAfter: cardAfter }, { ...to, nameAfter: names.bridge });
    batch.change({ index: from.index, addressMode: 'none' });
    batch.change({ index: to.index, addressMode: names.addressMode });
    await sent(channel, batch);
  } finally {
    await Promise.all([rtnl.close(), channel.close()]);
  }
}

/** Takes the card out from under the bridge, with all that the bridge has now. Nothing happens if there is no such bridge. */
export async function unbridge(names: SwitchNames): Promise<void> {
  const channel = new RtnlChannel(undefined);
  try {
    const links = await linksHere();
    const { from, to } = present(links, names);
    const contents = from && (await readContents(channel, new Set([from.index]), new Set([from.name])));
    const isRenamed = to !== undefined && to.name !== names.card;
    const goesDown = isRenamed && !(await renamesWhileUp());
    const batch = new TakeoverBatch();
    const move = () => {
      if (contents && from && to)
        batch.move(contents, { ...from, nameAfter: from.name }, { ...to, nameAfter: names.card });
    };
    // A card that is down loses what it has, so it gets all after that.
    if (!goesDown) move();
    if (from !== undefined && to?.master === from.index) batch.change({ index: to.index, master: 0 });
    if (from !== undefined) batch.delete(from.index);
    if (to !== undefined) {
      if (goesDown) batch.change({ index: to.index, up: false });
      if (isRenamed) batch.change({ index: to.index, name: names.card });
      if (goesDown) batch.change({ index: to.index, up: true });
      if (goesDown) move();
      batch.change({ index: to.index, addressMode: names.addressMode });
    }
    await sent(channel, batch);
  } finally {
    await channel.close();
  }
}

/** Whether the card is under the bridge now. */
export function isBridged(links: readonly Link[], names: SwitchNames): boolean {
  const { from, to } = present(links, names);
  return from !== undefined && to !== undefined && to.master === from.index;
}

/** The ports of the bridge besides the card. */
export function otherPorts(links: readonly Link[], names: SwitchNames): readonly string[] {
  const { from, to } = present(links, names);
  return links
    .filter(({ master, index }) => from !== undefined && master === from.index && index !== to?.index)
    .map(({ name }) => name);
}

/** The bridge and the card, under the names that they have now. */
function present(links: readonly Link[], names: SwitchNames) {
  const { card, cardAfter, bridge: after, bridgeBefore, bridgeIndex, mac } = names;
  const called = (name: string, isBridge: boolean) =>
    links.find((link) => link.name === name && (link.kind === 'bridge') === isBridge);
  const to = called(cardAfter, false) ?? called(card, false);
  // Others may have a bridge of this name: ours has its number, or else the MAC address of the card or the card itself.
  const isOurs = (link: Link | undefined) =>
    link !== undefined &&
    (bridgeIndex === undefined ? link.mac === mac || to?.master === link.index : link.index === bridgeIndex);
  return { from: [called(after, true), called(bridgeBefore, true)].find(isOurs), to };
}

function linkCalled(links: readonly Link[], wanted: string): Link {
  const link = links.find(({ name }) => name === wanted);
  if (link !== undefined) return link;
  throw new MeshError('MESH_OBJECT_UNKNOWN', `there is no network device ${wanted} any more`, { object: wanted });
}

async function sent(channel: RtnlChannel, batch: TakeoverBatch): Promise<void> {
  const [refused] = await batch.sendBy(channel);
  if (refused !== undefined) throw refused;
}

/** The routes by a link, of all tables. @throws MESH_KERNEL_REFUSED */
export async function routesOf({ index, name }: Link): Promise<readonly RouteCopy[]> {
  const channel = new RtnlChannel(undefined);
  try {
    return (await readContents(channel, new Set([index]), new Set([name]))).routes;
  } finally {
    await channel.close();
  }
}

/** Whether this kernel gives a link that is up another name (Linux 6.2 and later). */
export async function renamesWhileUp(): Promise<boolean> {
  const netns = temporaryNetns();
  try {
    const rtnl = await Rtnl.open({ netns: netns.path });
    try {
      const refused = await rtnl.apply([
        { do: 'link-add', kind: 'bridge', name: 'trial0', up: true },
        { do: 'link-set', link: 'trial0', change: { name: 'trial1' } },
      ]);
      return refused.every((error) => error === undefined);
    } finally {
      await rtnl.close();
    }
  } finally {
    netns.close();
  }
}
