/** What host0's daemon reads of its machine's kernel, put together. It changes nothing there. */
import { KernelWitness } from '../api/membership/witness.ts';
import { HostLinks } from '../boot/nics/host-links.ts';
import { KernelMonitor } from '../kernel/rtnl/monitor.ts';
import { Rtnl } from '../kernel/rtnl/rtnl.ts';
import type { Clock } from '../model/clock.ts';
import type { Journal } from '../protocol/journal/event.ts';

export async function openHost0Kernel(clock: Clock, journal: Journal) {
  const rtnl = await Rtnl.open();
  const monitor = KernelMonitor.open();
  const witness = new KernelWitness(rtnl, () => monitor.drain());
  const links = new HostLinks({
    reader: rtnl,
    clock,
    onError: (error) => journal.failure('links unreadable', error),
  });
  monitor.events.subscribe((event) => witness.take(event));
  monitor.events.subscribe((event) => links.take(event));
  await links.read();
  return { rtnl, monitor, witness, links };
}
