/** What host0's daemon reads of its machine's kernel, put together. It changes nothing there. */
import { KernelSourceVerification } from '../api/membership/source-verification.ts';
import { HostLinks } from '../boot/nics/host-links.ts';
import { KernelMonitor } from '../kernel/rtnl/monitor.ts';
import { Rtnl } from '../kernel/rtnl/rtnl.ts';
import type { Clock } from '../model/clock.ts';
import type { Journal } from '../protocol/journal/event.ts';

/** Resolves when the links, addresses and routes have been read; the caller closes the monitor, the links and rtnetlink. */
export async function openHost0Kernel(clock: Clock, journal: Journal) {
  const rtnl = await Rtnl.open();
  const monitor = KernelMonitor.open();
  const verification = new KernelSourceVerification(rtnl, () => monitor.drain());
  const links = new HostLinks({
    reader: rtnl,
    clock,
    onError: (error) => journal.failure('links unreadable', error),
  });
  monitor.events.subscribe((event) => verification.take(event));
  monitor.events.subscribe((event) => links.take(event));
  await links.read();
  return { rtnl, monitor, verification, links };
}
