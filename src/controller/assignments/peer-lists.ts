/** The peers of networks that host0 assigns: one list for all nodes that reach host0 at one address. */
import { isDeepStrictEqual } from 'node:util';
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { AttachmentPeers } from '../../protocol/documents/node-assignment.ts';
import type { PortBook } from '../ports/port-book.ts';
import { assignedPeers, PEERS_UNTOLD } from './assigned-peers.ts';
import type { HoldingRecord } from './holding-record.ts';
import type { NodePlace } from './node-places.ts';

/** What the lists are made of. */
export interface PeerListsInput {
  readonly network: (id: NetworkId) => Network | undefined;
  readonly holdersOf: (network: NetworkId) => Iterable<MachineWord>;
  readonly placeOf: (machine: MachineWord) => NodePlace | undefined;
  /** Where a node says that its VTEPs are, by network. */
  readonly vtepsOf: (machine: MachineWord) => HoldingRecord['vteps'];
  /** Whether a node serves a network. */
  readonly serves: (network: NetworkId, machine: MachineWord) => boolean;
  /** The ports that host0 has placed. */
  readonly ports: Pick<PortBook, 'in'>;
  /** host0's underlay address as a node at `viewer` reaches it. */
  readonly host0AddressFor: (viewer: Ipv4 | undefined) => Ipv4;
}

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

  #compose(id: NetworkId, host0: Ipv4): AttachmentPeers {
    const { network, holdersOf, placeOf, vtepsOf, serves } = this.#input;
    const ports = Map.groupBy(this.#input.ports.in(id), ({ machine }) => machine);
    const holders = [...holdersOf(id)].sort().flatMap((machine) => {
      const place = placeOf(machine);
      if (place === undefined) return [];
      const here = {
        ...place,
        machine,
        vteps: vtepsOf(machine),
        ports: ports.get(machine) ?? [],
        serves: serves(id, machine),
      };
      return [{ ...here, ...(machine === 'host0' && { underlay: host0 }) }];
    });
    return assignedPeers(network(id), holders);
  }
}
