/**
 * The place in which a network is served on a node: a network namespace of its own, joined to the network's bridge by a veth. So
 * customers may use the same subnets, and the servers of one network neither see nor hear those of another.
 */
import { join } from 'node:path';
import type { Ip } from '../../../kernel/ip.ts';
import type { Mac } from '../../../model/address/mac.ts';
import type { NetworkId } from '../../../model/network/number.ts';
import type { OuterPlace } from './outer-place.ts';

/** The name of the veth inside the namespace. */
export const SPACE_LINK = 'eth0';

/** The IP of the addresses that DHCP gives. */
export type DhcpFamily = 'ipv4' | 'ipv6';

/** A namespace with its link to the bridge. */
export interface ServiceSpace {
  readonly network: NetworkId;
  /** `meshwork-ff01` */
  readonly name: string;
  /** Where the namespace is mounted. */
  readonly path: string;
  /** The end of the veth on the bridge: `sff01`. */
  readonly port: string;
  readonly bridge: string;
  /** The Ethernet address inside. */
  readonly mac: Mac;
  readonly mtuBytes: number;
  /** The addresses inside. */
  readonly addresses: readonly { readonly address: Ip; readonly length: number }[];
  /** The directory of the leases of guests. Absent: no addresses are given here. */
  readonly leases?: string;
  /** The families in which guests of this node ask no other node. Absent: none. */
  readonly gives?: readonly DhcpFamily[];
  /** What is reached by `SPACE_LINK`: the guests, and what another router has. */
  readonly routes?: readonly { readonly destination: string; readonly gateway?: Ip }[];
  /** The way outside. Absent: there is none. */
  readonly outer?: OuterPlace;
}

/**
 * The directory for what servers of a space keep of this boot. It is there while the space has a way out.
 * @param run the directory of this boot
 * @param name the name of the space
 */
export function spaceDirectory(run: string, name: string): string {
  return join(run, name);
}

/**
 * The directory for the leases that are given in a space. It outlives a reboot, and goes with the space.
 * @param leases the directory of all leases
 * @param name the name of the space
 */
export function leaseDirectory(leases: string, name: string): string {
  return join(leases, name);
}
