/**
 * Tells when a kernel gets or loses the FDB entry of a member. It does as little work as possible: it watches twenty
 * kernels at once, on the same cores as the agents that are measured.
 */
import { getPriority, setPriority } from 'node:os';
import koffi from 'koffi';
import { AF_BRIDGE } from '../src/kernel/libc.ts';
import { type Message, messages } from '../src/kernel/netlink/netlink.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../src/kernel/netlink/netlink-socket.ts';
import { netnsPath } from '../src/kernel/netns.ts';
import { readFdbEntry } from '../src/kernel/rtnl/fdb.ts';
import { neighbourFamily, RTM_DELNEIGH, RTM_NEWNEIGH } from '../src/kernel/rtnl/neighbour.ts';
import type { FdbEntry } from '../src/kernel/rtnl/objects.ts';
import type { LabHost } from '../src/lab/hosts/lab-host.ts';
import type { Mac } from '../src/model/address/mac.ts';

/** RTNLGRP_NEIGH, the group for neighbour entries and FDB entries. */
const ENTRIES = 1 << 2;
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
const DEADLINE_MS = 20_000;
/** The highest priority: a watcher that waits for a core among twenty agents would see an entry too late. */
const WATCHER_NICE = -20;

/**
 * Waits until the kernel of each host reports that the FDB entry of an Ethernet address was made or removed.
 * @param table the VXLAN's own, or the bridge's, in which a guest of the host itself is
 * @returns the times, as of `performance.now()`
 */
export async function watchEntry(
  hosts: readonly LabHost[],
  { member }: { readonly member: Pick<LabHost['member'], 'mac'> },
  removed: boolean,
  table: FdbEntry['table'] = 'self',
): Promise<number[]> {
  const closers: (() => void)[] = [];
  const nice = getPriority();
  setPriority(WATCHER_NICE);
  try {
    return await Promise.all(
      hosts.map(({ netns }) => {
        const { promise, resolve, reject } = Promise.withResolvers<number>();
        const socket = NetlinkSocket.open({
          protocol: NETLINK_ROUTE,
          groups: ENTRIES,
          receiveBufferBytes: RECEIVE_BUFFER_BYTES,
          netns: netnsPath(netns),
        });
        const deadline = setTimeout(() => reject(new Error(`${netns} did not tell of ${member.mac}`)), DEADLINE_MS);
        const poll = koffi.node.poll(socket.fd, { readable: true }, () => {
          const received = socket.receive();
          if (received === 'overflow') reject(new Error(`events of ${netns} were lost`));
          if (typeof received === 'string') return;
          for (const message of messages(received))
            if (tellsOf(message, member.mac, removed, table)) resolve(performance.now());
        });
        closers.push(() => {
          clearTimeout(deadline);
          poll.close();
          socket.close();
        });
        return promise;
      }),
    );
  } finally {
    setPriority(nice);
    for (const close of closers) close();
  }
}

function tellsOf(message: Message, mac: Mac, removed: boolean, table: FdbEntry['table']): boolean {
  if (message.type !== (removed ? RTM_DELNEIGH : RTM_NEWNEIGH) || neighbourFamily(message) !== AF_BRIDGE) return false;
  const entry = readFdbEntry(message);
  return entry?.table === table && entry.mac === mac && entry.externLearn;
}
