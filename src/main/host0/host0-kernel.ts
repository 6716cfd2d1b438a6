/** Composes what host0's daemon reads from its machine's kernel. The daemon changes nothing there. */

import { rtnlReader } from '../../kernel/mirror/kernel-reader.ts';
import { LiveMirror } from '../../kernel/mirror/live-mirror.ts';
import { KernelMonitor } from '../../kernel/rtnl/monitor.ts';
import { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import type { Clock } from '../../model/clock.ts';
import type { Journal } from '../../protocol/journal/journal.ts';

/** The mirror of host0's kernel, and what closes it with its sockets. */
export async function openHost0Kernel(clock: Clock, journal: Journal) {
  const rtnl = await Rtnl.open();
  const monitor = KernelMonitor.open({ nftables: false });
  const mirror = await LiveMirror.open({
    reader: rtnlReader(rtnl, { keepsRoute: () => true }),
    questions: rtnl,
    monitor,
    keepsRoute: () => true,
    clock,
    onError: (error) => journal.failure('links unreadable', error),
  });
  const close = async (): Promise<void> => {
    mirror.close();
    monitor.close();
    await rtnl.close();
  };
  return { mirror, close };
}
