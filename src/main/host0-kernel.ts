/** Composes what host0's daemon reads from its machine's kernel. The daemon changes nothing there. */
import { KernelSourceVerification } from '../api/membership/source-verification.ts';
import { HostLinks } from '../boot/nics/host-links.ts';
import { KernelMonitor } from '../kernel/rtnl/monitor.ts';
import { Rtnl } from '../kernel/rtnl/rtnl.ts';
import type { Clock } from '../model/clock.ts';
import type { Journal } from '../protocol/journal/journal.ts';

/** Reads the links, addresses and routes, and follows their changes. The caller closes the monitor, the links and rtnetlink. */
export async function openHost0Kernel(clock: Clock, journal: Journal) {
  const rtnl = await Rtnl.open();
  const monitor = KernelMonitor.open();
  const links = new HostLinks({
    reader: rtnl,
    clock,
    onError: (error) => journal.failure('links unreadable', error),
  });
  const verification = new KernelSourceVerification(
    {
      neighbour: (...asked) => rtnl.neighbour(...asked),
      fdbEntry: (...asked) => rtnl.fdbEntry(...asked),
      nameOf: (index) => links.nameOf(index),
    },
    () => monitor.drain(),
  );
  monitor.events.subscribe((event) => verification.take(event));
  monitor.events.subscribe((event) => links.take(event));
  await links.read();
  return { rtnl, monitor, verification, links };
}
