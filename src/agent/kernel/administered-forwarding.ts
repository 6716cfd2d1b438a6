/** Forwarding that others than the agent have switched on. */
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { BorrowedSettings } from './borrowed-settings.ts';
import type { ForeignLink } from './foreign-links.ts';

/** What the administrator, or another program, has made a router. */
export interface AdministeredForwarding {
  /** The links on which packets of IPv4 come in that are forwarded. */
  readonly ipv4: readonly string[];
  /** The machine forwards packets of IPv6. */
  readonly ipv6: boolean;
}

/** The path of the setting of IPv4 for one link. */
export function forwardingPath(device: string): readonly string[] {
  return ['net', 'ipv4', 'conf', device, 'forwarding'];
}

/** The path of the one setting of IPv6. */
export const FORWARDING_IPV6: readonly string[] = ['net', 'ipv6', 'conf', 'all', 'forwarding'];

/** What the kernel forwards, without what the record has. */
export function administeredForwarding(
  cache: Pick<KernelTables, 'linkNamed'>,
  links: readonly ForeignLink[],
  settings: Pick<BorrowedSettings, 'of'>,
): AdministeredForwarding {
  const forwarding = links.filter(({ forwards }) => forwards).map(({ device }) => device);
  return {
    ipv4: forwarding.filter((device) => settings.of(forwardingPath(device)) === undefined),
    // `all` has no link of its own; a write to it sets all links.
    ipv6: cache.linkNamed('lo')?.forwardsIpv6 === true && settings.of(FORWARDING_IPV6) === undefined,
  };
}
