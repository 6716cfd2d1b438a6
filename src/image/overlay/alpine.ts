/** The OpenRC runlevels of an Alpine node: which services it starts. */
import type { Overlay } from './overlay.ts';

/** Services of each runlevel: those that Alpine's initramfs chooses without an overlay (mkinitfs, initramfs-init), and the agent. */
const RUNLEVELS: Readonly<Record<string, readonly string[]>> = {
  sysinit: ['devfs', 'dmesg', 'mdev', 'hwdrivers', 'modloop'],
  boot: ['modules', 'sysctl', 'hostname', 'bootmisc', 'syslog'],
  default: ['local', 'meshwork-agent'],
  shutdown: ['mount-ro', 'killprocs', 'savecache'],
};

/** Adds a link `/etc/runlevels/LEVEL/SERVICE` for each service, unless a manifest has put something at that path. */
export function addRunlevels(overlay: Overlay): void {
  for (const [level, services] of Object.entries(RUNLEVELS)) {
    for (const service of services) addService(overlay, level, service);
  }
}

function addService(overlay: Overlay, level: string, service: string): void {
  const path = `etc/runlevels/${level}/${service}`;
  if (!overlay.has(path)) overlay.putLink(path, `/etc/init.d/${service}`);
}
