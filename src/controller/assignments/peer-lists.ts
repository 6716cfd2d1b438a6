/** The peers of networks that host0 assigns: one list for all nodes that reach host0 at one address. */
import { isDeepStrictEqual } from 'node:util';
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { AssignedPeer, AttachmentPeers } from '../../protocol/documents/node-assignment.ts';
import type { NodePlace } from './node-places.ts';

/** What the lists are made of. */
export interface PeerListsInput {
  readonly network: (id: NetworkId) => Network | undefined;
  readonly holdersOf: (network: NetworkId) => Iterable<MachineWord>;
  readonly placeOf: (machine: MachineWord) => NodePlace | undefined;
  /** host0's underlay address as a node at `viewer` reaches it. */
  readonly host0AddressFor: (viewer: Ipv4 | undefined) => Ipv4;
}

/** One object for all nodes, so that it is digested once. */
const PEERS_UNTOLD = {
  multicast: { kind: 'multicast' },
  explicit: { kind: 'explicit' },
  none: { kind: 'none' },
} as const;

/** Keeps the lists. A list that has not changed is the same object as before, so that its text and digest stay. */
export class PeerLists {
  readonly #input: PeerListsInput;
  /** By network and host0's address as the reader reaches it. */
  readonly #lists = new Map<NetworkId, Map<Ipv4, AttachmentPeers>>();

  constructor(input: PeerListsInput) {
    this.#input = input;
  }

  /** The peers of a network as a node reaches them; undefined for a mesh, whose members the node has from its own stream. */
  of({ id, peers }: Network, reader: MachineWord): AttachmentPeers | undefined {
    const kind = peers?.kind ?? 'none';
    if (kind === 'membership') return undefined;
    if (kind !== 'assigned') return PEERS_UNTOLD[kind];
    const underlay = this.#input.placeOf(reader)?.underlay;
    const host0 = this.#input.host0AddressFor(underlay !== undefined && isIpv4(underlay) ? underlay : undefined);
    const lists = this.#lists.get(id) ?? new Map<Ipv4, AttachmentPeers>();
    this.#lists.set(id, lists);
    const known = lists.get(host0);
    if (known !== undefined) return known;
    const list = this.#compose(id, host0);
    lists.set(host0, list);
    return list;
  }

  /** Composes the lists of a network again. */
  refresh(network: NetworkId): void {
    const lists = this.#lists.get(network);
    for (const [host0, before] of lists ?? []) {
      const now = this.#compose(network, host0);
      if (!isDeepStrictEqual(before, now)) lists?.set(host0, now);
    }
  }

  /** Forgets a network that is gone. */
  forget(network: NetworkId): void {
    this.#lists.delete(network);
  }

  #compose(network: NetworkId, host0: Ipv4): AttachmentPeers {
    const { holdersOf } = this.#input;
    const type = this.#input.network(network)?.type;
    const isOverIpv6 = type?.kind === 'vxlan' && type.underlay === 'ipv6';
    const peers = [...holdersOf(network)].sort().flatMap((machine) => {
      const peer = isOverIpv6 ? this.#overIpv6(machine) : this.#overIpv4(machine, host0);
      return peer ?? [];
    });
    return { kind: 'assigned', peers };
  }

  #overIpv4(machine: MachineWord, host0: Ipv4): AssignedPeer | undefined {
    const place = this.#input.placeOf(machine);
    if (place === undefined) return undefined;
    return { machine, name: place.name, underlay: machine === 'host0' ? host0 : place.underlay, macs: [] };
  }

  /** A node without an IPv6 address on its underlay is no peer: nobody could send to it. */
  #overIpv6(machine: MachineWord): AssignedPeer | undefined {
    const { name, underlayIpv6 } = this.#input.placeOf(machine) ?? {};
    if (name === undefined || underlayIpv6 === undefined) return undefined;
    return { machine, name, underlay: underlayIpv6, macs: [] };
  }
}
