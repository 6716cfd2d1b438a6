/** What uses a network, as the part of host0 that gives nodes their assignments knows it. */
import type { NetworkId } from '../../model/network/number.ts';

/** A port that is plugged into a network. */
export interface PortUse {
  /** Name of the node. */
  readonly node: string;
  readonly interface: string;
}

/** Answers the catalogue's questions before a network goes. */
export interface NetworkUse {
  readonly ports: (network: NetworkId) => readonly PortUse[];
  /** The names of the nodes that have the network, or may have it; undefined while that is not known. */
  readonly nodes: (network: NetworkId) => readonly string[] | undefined;
  /**
   * Whether nodes still have a network of this number from an earlier store. The number is then given to no other network. Absent:
   * no.
   */
  readonly isOrphan?: (number: number) => boolean;
  /** Unplugs all ports of the network. Resolves when the nodes have been told. */
  readonly unplug: (network: NetworkId) => Promise<void>;
}

/** For a host0 without nodes. */
export const NO_USE: NetworkUse = { ports: () => [], nodes: () => [], unplug: async () => undefined };
