/** Which of host0's ports machines may boot on, and how the settings want them. Pure. */
import type { PortMode } from '../formats/host0-conf.ts';
import type { Link } from '../kernel/objects.ts';
import { BOOT_MODES, type WantedMode } from '../protocol/boot-views.ts';

export type BootLink = Pick<
  Link,
  'index' | 'name' | 'mac' | 'up' | 'running' | 'master' | 'kind' | 'loopback' | 'alias'
>;

const OUR_ALIAS = 'meshwork:';

/** Physical (or one end of a veth pair) and in no bridge; or what the settings name, whatever it is. Up or not. */
export function isBootPort(link: BootLink, named: readonly string[] | undefined): boolean {
  if (named !== undefined) return named.includes(link.name);
  return isPhysical(link) && link.master === 0;
}

/** What a scan looks at: also the bridges of others that have a physical port, and these ports. */
export function scanPorts(links: readonly BootLink[], named: readonly string[] | undefined): BootLink[] {
  const bridges = new Set(links.filter(isPhysical).map(({ master }) => master));
  return links
    .filter(
      (link) =>
        isBootPort(link, named) ||
        (link.kind === 'bridge' && bridges.has(link.index) && !link.alias.startsWith(OUR_ALIAS)) ||
        (isPhysical(link) && links.some(({ index, alias }) => index === link.master && !alias.startsWith(OUR_ALIAS))),
    )
    .sort((a, b) => a.index - b.index);
}

function isPhysical({ loopback, kind, alias }: BootLink): boolean {
  return !loopback && (kind === '' || kind === 'veth') && !alias.startsWith(OUR_ALIAS);
}

/** A name that dnsmasq's configuration can hold and that is safe as part of a file's name. */
export function isServable(name: string): boolean {
  return /^[\w.@+-]+$/.test(name);
}

/** What the settings want of a wire: where they contradict each other, the most careful. */
export function wantedMode(ports: readonly string[], modes: readonly PortMode[]): WantedMode {
  const wanted = modes.filter(({ port }) => ports.includes(port)).map(({ mode }) => mode);
  const [careful] = BOOT_MODES.filter((mode) => wanted.includes(mode));
  return careful === 'server' && wanted.includes('auto') ? 'auto' : (careful ?? 'auto');
}
