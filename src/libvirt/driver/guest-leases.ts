/** A lease of a guest in libvirt's form. */
import { isIpv4 } from '../../model/address/ipv4.ts';
import type { Network } from '../../model/network/network.ts';
import type { GuestLease } from '../../protocol/documents/service/guest-lease.ts';
import type { Lease } from '../calls/values.ts';

/** virIPAddrType. */
const IPV4 = 0;
const IPV6 = 1;

/** The lease of a guest in a network. The length of the prefix is that of the first subnet of its family, as libvirt has it. */
export function guestLease({ address, mac, duid, name, expires }: GuestLease, network: Network): Lease {
  const isV4 = isIpv4(address);
  const subnet = network.subnets.find(({ cidr }) => cidr.includes(':') !== isV4);
  return {
    iface: network.bridge?.name ?? network.name,
    expiryTime: expires === undefined ? 0n : BigInt(Math.floor(Date.parse(expires) / 1000)),
    type: isV4 ? IPV4 : IPV6,
    mac,
    iaid: undefined,
    address,
    prefix: Number(subnet?.cidr.split('/')[1] ?? 0),
    hostname: name,
    clientId: duid,
  };
}
