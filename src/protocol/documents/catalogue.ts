/** What host0 tells of its catalogue of networks, and what is asked of it. */
import type { ErrorDocument } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';

/** Whether a network of the catalogue is in use. */
export type NetworkActivity =
  /** Nodes have it. `id` is a small number, given at activation; networks of files have none. */
  | { readonly phase: 'active'; readonly id?: number }
  | { readonly phase: 'stopped' }
  /** Deleted; its number is free when all these nodes have removed it. */
  | { readonly phase: 'deleting'; readonly nodes: readonly string[] }
  /** Not used, because an older network has its number, its name or one of its devices. */
  | { readonly phase: 'refused'; readonly error: ErrorDocument };

/** Multicast does not pass from one node of a network to another. */
export interface SilentPair {
  readonly from: string;
  readonly to: string;
  /** Nothing arrives; a router is between that the hop limit does not allow for; the nodes are on different segments. */
  readonly why: 'silence' | 'router' | 'segments';
}

/** Between which nodes of a network with multicast peers multicast passes. */
export interface MulticastView {
  /** The nodes that have listened for long enough. */
  readonly hears: readonly string[];
  /** The number of ordered pairs among them between which it passes. */
  readonly pairs: number;
  readonly silent: readonly SilentPair[];
  /** The nodes that have not told, or have not listened for long enough. */
  readonly pending: readonly string[];
}

/** A network of the catalogue (`GET /v1/catalogue`). */
export interface CatalogueView {
  /** The network as nodes have it while it is active, else as it is defined. */
  readonly network: Network;
  readonly activity: NetworkActivity;
  /** The network is transient: nothing but its activity keeps it. Absent: it is defined, and can be stopped and started. */
  readonly persistent?: false;
  /** Whether a boot of host0's machine starts the network, or leaves it stopped. Absent: it is after a boot as it was before. */
  readonly autostart?: boolean;
  /** Its own, or one that follows from its identifier. Only where one network is asked for, and not from an older host0. */
  readonly uuid?: string;
  /** How the network will be after a stop and a start. Absent: as it is. */
  readonly definition?: Network;
  /** The nodes that have ports in the network, each with their interfaces. Only where one network is asked for, and not from an older host0. */
  readonly holders?: readonly { readonly node: string; readonly ports: readonly string[] }[];
  /** Only where one network with multicast peers is asked for. */
  readonly multicast?: MulticastView;
}

/** Whether nodes may have the network. */
export function isActiveView({ activity }: Pick<CatalogueView, 'activity'>): boolean {
  return activity.phase === 'active';
}

/** The small number of an active network of the store. */
export function activeIdOf({ activity }: Pick<CatalogueView, 'activity'>): number | undefined {
  return activity.phase === 'active' ? activity.id : undefined;
}

/** Whether the network stays when it is stopped. */
export function isPersistentView({ persistent }: Pick<CatalogueView, 'persistent'>): boolean {
  return persistent !== false;
}

/** Whether the network is active after a boot of host0's machine. */
export function startsAtBoot(view: Pick<CatalogueView, 'activity' | 'autostart' | 'persistent'>): boolean {
  return isPersistentView(view) && (view.autostart ?? isActiveView(view));
}

/** The network as it is defined; a transient one as it is. */
export function definitionIn({ network, definition }: Pick<CatalogueView, 'network' | 'definition'>): Network {
  return definition ?? network;
}

/** What became of a network (`GET /v1/lifecycle`), in the words of libvirt's events; libvirt has none for `updated`. */
export interface LifecycleNews {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly kind: (typeof LIFECYCLE_KINDS)[number];
  readonly network: NetworkId;
  readonly name: string;
  readonly uuid: string;
}

/** What can become of a network. */
export const LIFECYCLE_KINDS = ['defined', 'undefined', 'started', 'stopped', 'updated'] as const;

/** A document of a network that a person wrote into the store, and that host0 does not take up. */
export interface RefusedDocument {
  /** Where it is in the store. */
  readonly key: string;
  readonly error: ErrorDocument;
}

/**
 * What is wanted of a network: the parts of its document that are named, as JSON. host0 fills in the others. A document of
 * `mesh network show --json` is such an order, too. Beside the parts of a network an order may have `prefix`: a /64 for the nodes
 * that have the network, or `auto`, for which host0 allocates one; and `addressPools`, names of address
 * pools, each of which gives the network a subnet.
 */
export type NetworkOrder = Readonly<Record<string, unknown>>;

/** What a change of the catalogue did, or would do. */
export interface CatalogueChange {
  readonly change: 'created' | 'defined' | 'changed' | 'unchanged' | 'started' | 'stopped' | 'undefined' | 'deleted';
  /** The network after the change; a deleted one as it was. */
  readonly network: Network;
  /** For a change: what is different, as in `mtuBytes 1450 → 1380`. */
  readonly differences: readonly string[];
  readonly warnings: readonly ErrorDocument[];
  /** Nothing was changed: the change was only planned. */
  readonly dryRun: boolean;
}
