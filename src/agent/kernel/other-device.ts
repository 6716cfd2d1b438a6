/** The state of a network whose underlay device is not there. */
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import { parseAlias } from '../items/mark.ts';

/** Devices that a message names. */
const NAMED = 4;

/**
 * A device that is there without an address gets one later. A network with multicast peers names one device for all of its nodes:
 * on a node that has only others, the device has another name, which is not supported.
 */
export function withoutLink(
  { name, peers }: Network,
  device: string,
  cache: Pick<KernelTables, 'linkNamed' | 'links'>,
): NetworkState {
  const others = [...cache.links.values()].filter(
    ({ loopback, kind, alias }) => !loopback && (kind === '' || kind === 'veth') && parseAlias(alias) === undefined,
  );
  if (peers?.kind !== 'multicast' || cache.linkNamed(device) !== undefined || others.length === 0)
    return { phase: 'pending', why: `the link ${device} is not there, or has no address` };
  const names = others.slice(0, NAMED).map((link) => link.name);
  const error = new MeshError('MESH_UNDERLAY_DEVICE', `this node has no device ${device}; it has ${names.join(', ')}`, {
    object: name,
    rule: 'A network with multicast peers has one underlay device for all of its nodes. Other names on some nodes are not supported.',
    remedy: `Give the device on that wire the name: \`ip link set ${names[0]} name ${device}\` while it is down, and for good in a .link file of systemd or in /etc/mactab. Or make the network with assigned peers, which need no device.`,
    retryable: true,
  });
  return { phase: 'failed', error: error.toJSON() };
}
