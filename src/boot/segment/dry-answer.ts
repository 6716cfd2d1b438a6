/** What host0 would answer to a DHCP packet: for dry mode. Pure. */

import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { BootMode } from '../../protocol/documents/boot-views.ts';
import { loaderFor, scriptUrl } from '../../services/dnsmasq/boot-loaders.ts';
import type { BootSighting, DhcpSighting } from '../frames/sighting.ts';

/**
 * Describes the answer in one line.
 * @param served the subnet that host0 would serve, and its address there
 * @returns undefined if host0 would not answer
 */
export function dryAnswer(
  sighting: BootSighting,
  mode: BootMode,
  served: { readonly subnet: Ipv4Cidr; readonly host0: Ipv4 } | undefined,
): string | undefined {
  if (sighting.kind !== 'dhcp' || sighting.message !== 'DISCOVER' || served === undefined) return undefined;
  if (mode !== 'server' && mode !== 'proxy') return undefined;
  const file = bootFileFor(sighting, served.host0);
  if (mode === 'proxy' && file === undefined) return undefined;
  const address = mode === 'server' ? [`an address of ${served.subnet}`] : [];
  const answer = [...address, ...(file === undefined ? [] : [file])].join(' and ');
  return `${sighting.mac} (${sighting.client ?? 'system'}${architectureText(sighting)}): ${answer}`;
}

function bootFileFor({ client, architecture }: DhcpSighting, host0: Ipv4): string | undefined {
  if (client === 'ipxe') return scriptUrl(host0);
  return client === 'system' || architecture === undefined ? undefined : loaderFor(architecture, host0);
}

function architectureText({ architecture }: DhcpSighting): string {
  return architecture === undefined ? '' : `, architecture ${architecture}`;
}
