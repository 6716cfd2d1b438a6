/** The ports of guests: those that host0 has placed on this node with a tap, which the agent makes. */
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { eui64Address } from '../../model/address/eui64.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Network } from '../../model/network/network.ts';
import { prefixesOf } from '../../model/network/services/ra.ts';
import type { AssignedPort, NodeDocument } from '../../protocol/documents/node-assignment.ts';
import type { PortView } from '../../protocol/documents/views.ts';
import type { PortState } from '../assignment/assigned-agent.ts';
import type { DesiredInput, PortGuest } from '../desired/assignment.ts';
import type { LeasedAddresses } from '../desired/leased-addresses.ts';
import { tapKey } from '../items/link.ts';
import type { Reconciler } from '../loop/reconciler.ts';

type Ports = DesiredInput['ports'];

const NO_LEASES: LeasedAddresses = new Map();

/** A port whose interface the agent makes. */
export interface TapPort extends AssignedPort {
  readonly id: string;
  readonly tap: true;
}

/** Whether the agent makes the interface of the port. */
export function isTapPort(port: AssignedPort): port is TapPort {
  return port.tap === true && port.id !== undefined;
}

/**
 * The ports of the node with what is known of their guests, and the taps.
 * @param foreign the interfaces that other programs have made
 * @param document what the node should have
 * @param leased the addresses that guests have from servers of this node
 */
export function withGuests(
  foreign: Ports,
  document: Pick<NodeDocument, 'ports' | 'attachments'>,
  leased: LeasedAddresses = NO_LEASES,
): Ports {
  const networks = new Map(document.attachments.map(({ network }) => [network.id, network]));
  const known = document.ports.flatMap((port) => guestOf(port, networks.get(port.network), leased) ?? []);
  if (known.length === 0) return foreign;
  const guests = new Map(known.map(({ link, guest }) => [link, guest]));
  const taps = known.flatMap(({ link, network, guest }) =>
    guest.tap ? [{ link, network, plugged: true, unplugging: false, guest }] : [],
  );
  const others = foreign.map((port) => {
    const guest = guests.get(port.link);
    return guest === undefined || port.unplugging ? port : { ...port, guest };
  });
  return [...others, ...taps];
}

/** The rules for plugged ports hold for an interface of which nothing is known: it may carry any guest. */
function guestOf(
  port: AssignedPort,
  of: Network | undefined,
  leased: LeasedAddresses,
): (Pick<AssignedPort, 'link' | 'network'> & { guest: PortGuest }) | undefined {
  const { id: portId, mac, link, network, addresses, trusted = false } = port;
  if (portId === undefined || mac === undefined) return undefined;
  const tap = isTapPort(port);
  if (!tap && addresses === undefined && !trusted) return undefined;
  const own = [...(addresses ?? []), ...(leased.get(network)?.get(mac) ?? []), ...advertised(of, mac)];
  return { link, network, guest: { portId, mac, tap, addresses: [...new Set(own)], trusted } };
}

/** The addresses that a guest forms by itself in the prefixes that routers advertise (RFC 4862, by EUI-64). */
function advertised(network: Network | undefined, mac: Mac): readonly Ipv6[] {
  const prefixes = network === undefined ? [] : prefixesOf(network);
  return prefixes.map((prefix) => eui64Address(prefix, mac));
}

/** What the states of guests' ports depend on. */
export interface GuestPortsInput {
  readonly taps: () => readonly TapPort[];
  readonly reconciler: Pick<Reconciler, 'cache' | 'isReady' | 'failureOf'>;
  readonly networks: () => readonly Network[];
  /** Why a network of this node is not ready; undefined for one that is. */
  readonly whyNot: (network: Network) => string | undefined;
  readonly refusedAt: (link: string) => NonNullable<PortView['refused']>;
}

/** Tells how the ports of guests are. */
export class GuestPorts {
  readonly #input: GuestPortsInput;

  constructor(input: GuestPortsInput) {
    this.#input = input;
  }

  /** Whether this is the name of a tap that host0 has placed here. */
  has(link: string): boolean {
    return this.#input.taps().some((port) => port.link === link);
  }

  views(): PortView[] {
    return this.#input.taps().map((port): PortView => {
      const { link, network } = port;
      const { state, ...rest } = this.stateOf(port);
      const networkName = this.#input.networks().find(({ id }) => id === network)?.name;
      const mtuBytes = this.#input.reconciler.cache.linkNamed(link)?.mtuBytes;
      return {
        interface: link,
        network,
        ...(networkName !== undefined && { networkName }),
        state,
        ...('why' in rest && { why: rest.why }),
        ...(isBound(this.#input.reconciler.cache, link) && { bound: true as const }),
        refused: this.#input.refusedAt(link),
        ...(mtuBytes !== undefined && { mtuBytes }),
      };
    });
  }

  stateOf({ id, link, network }: TapPort): PortState {
    const { reconciler, networks, whyNot, refusedAt } = this.#input;
    const refused = refusedAt(link);
    const port = { bound: isBound(reconciler.cache, link), ...(refused.length > 0 && { refused }) };
    if (reconciler.isReady(tapKey(id))) return { state: 'plugged', port };
    const known = networks().find((candidate) => candidate.id === network);
    const failure = reconciler.failureOf(tapKey(id))?.message;
    const why = known === undefined ? 'this node does not have the network now' : (failure ?? whyNot(known));
    return { state: 'wanted', port, why: why ?? `the tap ${link} is being made` };
  }
}

/** A tap has carrier while a process has it open. */
function isBound(cache: Pick<KernelTables, 'linkNamed'>, link: string): boolean {
  return cache.linkNamed(link)?.running ?? false;
}
