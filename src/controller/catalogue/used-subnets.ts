/** What keeps a network from being started: one of its subnets is in use on a machine that would have an address there. */
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { hostSubnets, sharedSubnet } from '../../model/network/services/host-subnets.ts';
import type { Subnet } from '../../model/network/subnet.ts';

/** The link of host0's machine that has an address in a subnet, and is no network's; undefined where there is none. */
export type DeviceIn = (subnet: Subnet['cidr']) => string | undefined;

/** libvirt's words for it, which its programs know (VIR_ERR_INTERNAL_ERROR of no driver). */
class SubnetInUse extends MeshError {
  readonly libvirt: { readonly code: number; readonly domain: number; readonly message: string };

  constructor(network: Network, cidr: string, device: string, whose: string) {
    super('MESH_NET_SUBNET_IN_USE', `subnet ${cidr} of ${network.name} is in use by interface ${device}${whose}`, {
      object: network.name,
      rule: 'A machine has one way to each address.',
      remedy: `Give ${network.name} another subnet`,
    });
    this.libvirt = { code: 1, domain: 0, message: `Network is already in use by interface ${device}` };
  }
}

/**
 * The error of a network that cannot be started beside others; undefined for one that can.
 * @param active the networks that run
 */
export function subnetInUse(network: Network, active: Iterable<Network>, deviceIn: DeviceIn): MeshError | undefined {
  const cidrs = hostSubnets(network);
  if (cidrs.length === 0) return undefined;
  for (const other of active) {
    const shared = other.id === network.id ? undefined : sharedSubnet(network, other);
    if (shared === undefined) continue;
    const [cidr, theirs] = shared;
    const whose = `, that of ${theirs} of ${other.name}`;
    return new SubnetInUse(network, cidr, other.bridge?.name ?? other.name, whose);
  }
  // host0's machine is the home of a given address. Nodes look at their own links.
  if (network.hostAddress.kind !== 'given') return undefined;
  for (const cidr of cidrs) {
    const device = deviceIn(cidr);
    if (device !== undefined) return new SubnetInUse(network, cidr, device, ' of this machine');
  }
  return undefined;
}
