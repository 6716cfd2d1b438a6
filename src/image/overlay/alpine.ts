/** The OpenRC services that an Alpine node starts. */
import type { Overlay } from './overlay.ts';

/** Alpine's own services, as its initramfs would choose them without an overlay (mkinitfs, initramfs-init). */
const RUNLEVELS: Readonly<Record<string, readonly string[]>> = {
  sysinit: ['devfs', 'dmesg', 'mdev', 'hwdrivers', 'modloop'],
  boot: ['modules', 'sysctl', 'hostname', 'bootmisc', 'syslog'],
  default: ['local', 'meshwork-agent'],
  shutdown: ['mount-ro', 'killprocs', 'savecache'],
};

/** Enables Alpine's services and the agent in their runlevels, where no manifest has put a file or link of that name. */
export function addRunlevels(overlay: Overlay): void {
  for (const [level, services] of Object.entries(RUNLEVELS)) {
    for (const service of services) addService(overlay, level, service);
  }
}

function addService(overlay: Overlay, level: string, service: string): void {
  const path = `etc/runlevels/${level}/${service}`;
  if (!overlay.has(path)) overlay.putLink(path, `/etc/init.d/${service}`);
}
