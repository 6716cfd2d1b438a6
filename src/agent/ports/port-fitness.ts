/** Which interfaces cannot be ports of a network, because this machine itself needs them. Pure. */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Address, Link, Route } from '../../kernel/rtnl/objects.ts';
import type { Host0Stance } from '../desired/assignment.ts';
import { OUR_LINK_GROUP, parseAlias } from '../items/mark.ts';

/** Why an interface cannot be a port, and what to do instead. */
export interface Unfitness {
  /** The port would cut this machine off, or cannot be: it is taken off the network also when it is plugged already. */
  readonly vital: boolean;
  /** A sentence about the interface, without a full stop. */
  readonly reason: string;
  readonly remedy: string;
}

/** What the judgement needs of the kernel. */
type Tables = Pick<KernelTables, 'links' | 'addresses' | 'routes'>;

/** Origin of an address that the kernel made from a router advertisement (linux/if_addr.h, IFAPROT_KERNEL_RA). */
const FROM_ROUTER = 2;
/** Origin of a route that the kernel made from a router advertisement (linux/rtnetlink.h, RTPROT_RA). */
const ROUTE_FROM_ROUTER = 9;

const INSTEAD =
  'Plug the tap or veth of a guest, or a NIC of its own that has no address. To connect the physical network with the ' +
  'mesh, take a second NIC.';

/** Judges the interfaces of this machine as they are now. */
export class PortFitness {
  /** Links that have a VLAN, macvlan or ipvlan on them, by ifindex. */
  readonly #uppers: ReadonlyMap<number, readonly Link[]>;
  readonly #addresses: ReadonlyMap<number, readonly Address[]>;
  readonly #defaultRoutes: ReadonlySet<number>;
  /** Names of the links by which host0 is reached: by this node, or by the nodes on host0. */
  readonly #ways: ReadonlySet<string>;
  readonly #onHost0: boolean;

  constructor({ links, addresses, routes }: Tables, host0: Host0Stance) {
    const stacked = [...links.values()].filter(({ lower }) => lower !== undefined);
    this.#uppers = Map.groupBy(stacked, ({ lower = 0 }) => lower);
    this.#addresses = Map.groupBy([...addresses.values()].filter(isOwn), ({ link }) => link);
    this.#defaultRoutes = new Set([...routes.values()].filter(isDefault).map(({ link = 0 }) => link));
    this.#onHost0 = host0.role === 'host0';
    this.#ways = new Set(waysOf(host0));
  }

  /** Whether this machine knows by which link host0 is reached. */
  get knowsWay(): boolean {
    return this.#ways.size > 0;
  }

  /** Why the link cannot be a port; undefined if it can. */
  unfitness(link: Link): Unfitness | undefined {
    const { name, kind } = link;
    if (link.loopback) return vital(`${name} is the loopback of this machine`);
    if (parseAlias(link.alias) !== undefined || link.group === OUR_LINK_GROUP) {
      return vital(`${name} is a device that Meshwork itself has made`);
    }
    if (kind === 'bridge') {
      return vital(
        `${name} is a bridge, and no bridge is a port of another one`,
        `Connect the two with a veth pair: \`ip link add NAME type veth peer name PEER\`, put PEER on ${name}, and plug NAME.`,
      );
    }
    const carried = this.#carried(link);
    for (const each of carried) {
      const itself = each.name === name ? name : `${name} carries ${each.name}, which`;
      if (this.#ways.has(each.name)) {
        return vital(`${itself} ${this.#onHost0 ? 'is how nodes reach host0' : 'is the way to host0'}`);
      }
      if (this.#defaultRoutes.has(each.index)) return vital(`${itself} has the default route of this machine`);
      const [address] = this.#addresses.get(each.index)?.filter((one) => counts(one, each)) ?? [];
      // On host0, a NIC with an address is a segment, or becomes one: nodes reach host0 by it.
      const isSegment = this.#onHost0 && address?.family === 4 && kind !== 'tun';
      if (address !== undefined) {
        return {
          vital: isSegment,
          reason: `${itself} has the address ${address.address}/${address.length}, which does not work on a port of a bridge`,
          remedy: `${INSTEAD} If nothing uses the address: \`ip address flush dev ${each.name}\`.`,
        };
      }
    }
    const [, upper] = carried;
    if (upper !== undefined && upper.kind !== 'vlan') {
      return {
        vital: false,
        reason: `${name} carries ${upper.name}, and no link of kind ${upper.kind} works on a port of a bridge`,
        remedy: INSTEAD,
      };
    }
    return undefined;
  }

  /** Whether the link is a network card, or a link over cards: until its address comes, it may be the way to host0. */
  mayBecomeWay({ kind }: Link): boolean {
    return ['', 'vlan', 'bond', 'team'].includes(kind);
  }

  /** The link, and those that send through it. */
  #carried(link: Link): Link[] {
    const uppers = this.#uppers.get(link.index) ?? [];
    // A link is on one that was made before it, so there is no circle.
    return [link, ...uppers.flatMap((upper) => (upper.index === link.index ? [] : this.#carried(upper)))];
  }
}

function vital(reason: string, remedy = INSTEAD): Unfitness {
  return { vital: true, reason, remedy };
}

function waysOf(host0: Host0Stance): string[] {
  if (host0.role === 'node') return host0.device === undefined ? [] : [host0.device];
  return host0.segments.flatMap(({ device, also = [] }) => [device, ...also]);
}

/** Whether an address is one that other machines use: neither link-local nor one of the loopback. */
function isOwn({ scope, address }: Address): boolean {
  return scope === 'global' && !address.startsWith('169.254.');
}

/** A guest behind a veth or tap can give it an IPv6 address, by advertising itself as a router. */
function counts({ protocol }: Address, { kind }: Link): boolean {
  return protocol !== FROM_ROUTER || (kind !== 'veth' && kind !== 'tun');
}

function isDefault({ destination, protocol }: Route): boolean {
  return destination === '0.0.0.0/0' || (destination === '::/0' && protocol !== ROUTE_FROM_ROUTER);
}
