/** What the driver needs of the networks behind it. */
import type { Subscribable } from '../../model/signal.ts';
import type { Lease, NetworkKey, Parameter } from '../calls/values.ts';

/** A network as it is now. */
export interface VirtualNetwork extends NetworkKey {
  readonly active: boolean;
  /** Whether it stays when it is stopped. */
  readonly persistent: boolean;
  readonly autostart: boolean;
  /** A small number while the network is active; meshes of files have none. */
  readonly id?: number;
  /** Absent where no bridge carries the network. */
  readonly bridge?: string;
}

/** Which of a network's two documents is meant: what is in force, what will be at the next start. */
export interface Affected {
  readonly live: boolean;
  readonly config: boolean;
}

/** A change of a part of a network (virNetworkUpdate), with libvirt's numbers. */
export interface PartialChange {
  readonly command: number;
  readonly section: number;
  readonly parentIndex: number;
  readonly xml: string;
}

/** A part of the metadata (virNetworkMetadataType). */
export interface MetadataKey {
  /** 0 the description, 1 the title, 2 the element of `uri`. */
  readonly type: number;
  readonly uri: string | undefined;
}

/** What is written there. */
export interface WantedMetadata extends MetadataKey {
  /** Absent: the part is removed. */
  readonly text: string | undefined;
  /** The prefix of the element's namespace. */
  readonly key: string | undefined;
}

/** A network was defined, undefined, started or stopped. */
export interface NetworkEvent {
  readonly kind: 'defined' | 'undefined' | 'started' | 'stopped';
  readonly network: NetworkKey;
}

/**
 * Networks by their UUIDs, with XML documents in and out. Functions may throw a `VirError`, or a `MeshError`, which the
 * driver translates.
 */
export interface VirtualNetworks {
  list(): readonly VirtualNetwork[];
  byName(name: string): VirtualNetwork | undefined;
  byUuid(uuid: string): VirtualNetwork | undefined;
  /** @param inactive the definition, even where something else is in force */
  xml(uuid: string, options: { readonly inactive: boolean }): string;
  define(xml: string, options: { readonly validate: boolean }): Promise<NetworkKey>;
  /** Starts a network that goes when it is stopped. */
  create(xml: string, options: { readonly validate: boolean }): Promise<NetworkKey>;
  start(uuid: string): Promise<void>;
  stop(uuid: string): Promise<void>;
  undefine(uuid: string): Promise<void>;
  setAutostart(uuid: string, autostart: boolean): Promise<void>;
  update(uuid: string, change: PartialChange, affected: Affected): Promise<void>;
  leases(uuid: string): Promise<readonly Lease[]>;
  metadata(uuid: string, key: MetadataKey, options: { readonly inactive: boolean }): string;
  setMetadata(uuid: string, change: WantedMetadata, affected: Affected): Promise<void>;
  /** The UUIDs of the ports. */
  ports(uuid: string): readonly string[];
  portXml(uuid: string, port: string): string;
  /** @returns the UUID of the port */
  createPort(uuid: string, xml: string, options: PortOptions): Promise<string>;
  deletePort(uuid: string, port: string): Promise<void>;
  portParameters(uuid: string, port: string): readonly Parameter[];
  setPortParameters(uuid: string, port: string, parameters: readonly Parameter[]): Promise<void>;
  readonly lifecycle: Subscribable<NetworkEvent>;
  readonly metadataChanges: Subscribable<MetadataKey & { readonly network: NetworkKey }>;
}

/** How a port is made. */
export interface PortOptions {
  readonly validate: boolean;
  /** The port was there before the daemon's state was lost: its document says what it is plugged into. */
  readonly reclaim: boolean;
}
