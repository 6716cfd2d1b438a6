/** The addresses of the servers of a network on a node, so that each node can tell those of any other. */
import type { Ipv6 } from '../../address/ipv6.ts';
import type { Mac } from '../../address/mac.ts';
import type { MachineWord } from '../../machine.ts';
import { derivedMac, derivedSuffix, linkLocalWith, remembered } from '../address-derivation.ts';
import type { Network } from '../network.ts';
import { hexNumber } from '../number.ts';

/** The addresses of a node's servers in one network. */
export interface ServiceAddresses {
  readonly mac: Mac;
  /** The router that guests of this node and others know. */
  readonly linkLocal: Ipv6;
}

/** The addresses of the servers of `machine` in `network`. */
export const serviceAddresses = remembered(
  ({ number }: Pick<Network, 'number'>, machine: MachineWord): ServiceAddresses => ({
    mac: derivedMac('service', String(number), machine),
    linkLocal: linkLocalWith(derivedSuffix('service', String(number), machine)),
  }),
);

/** The device on the bridge behind which the servers of a network are: `sff01`. */
export function servicePort({ number }: Pick<Network, 'number'>): string {
  return `s${hexNumber(number)}`;
}
