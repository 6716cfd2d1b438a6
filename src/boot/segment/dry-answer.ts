/** What would have been answered, for the dry mode: one line a question. Pure. */

import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { BootMode } from '../../protocol/documents/boot-views.ts';
import { loaderFor, scriptUrl } from '../../services/dnsmasq/dnsmasq-conf.ts';
import type { BootSighting, DhcpSighting } from '../frames/sighting.ts';

/** @returns undefined for what is not asked of us */
export function dryAnswer(
  sighting: BootSighting,
  mode: BootMode,
  place: { readonly subnet: Ipv4Cidr; readonly host0: Ipv4 } | undefined,
): string | undefined {
  if (sighting.kind !== 'dhcp' || sighting.message !== 'DISCOVER' || place === undefined) return undefined;
  if (mode !== 'server' && mode !== 'proxy') return undefined;
  const file = bootFileFor(sighting, place.host0);
  if (mode === 'proxy' && file === undefined) return undefined;
  const address = mode === 'server' ? [`an address of ${place.subnet}`] : [];
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
