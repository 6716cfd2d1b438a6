/** Networks in TypeScript, modelled on libvirt's virConnect and virNetwork functions, over the same socket as virsh. */
import { CONNECTION_CALLS, OPEN_READ_ONLY } from '../calls/connection-calls.ts';
import { EVENT_CALLS, EVENT_ID, type LIFECYCLE, LIFECYCLE_MESSAGE, METADATA_MESSAGE } from '../calls/event-calls.ts';
import { NETWORK_CALLS } from '../calls/network-calls.ts';
import type { NetworkKey } from '../calls/values.ts';
import type { Frame } from '../rpc/frame.ts';
import { VIR_CODE, VirError } from '../rpc/vir-error.ts';
import { decode } from '../xdr/codec.ts';
import { ClientConnection } from './client-connection.ts';
import { VirNetwork } from './network.ts';

/** Where host0 answers. */
const DEFAULT_SOCKET = '/run/meshwork/libvirt/network-sock';

/** Where to connect to, and for what. */
export interface ConnectOptions {
  /** The socket of host0, or of a network daemon of libvirt. */
  readonly socket?: string;
  /** Nothing can be changed over the connection. */
  readonly readOnly?: boolean;
}

/** Which networks are listed; absent: both kinds. */
export interface NetworkFilter {
  readonly active?: boolean;
  readonly persistent?: boolean;
  readonly autostart?: boolean;
}

/** What became of a network. */
export interface NetworkLifecycle {
  readonly kind: keyof typeof LIFECYCLE;
  readonly network: VirNetwork;
}

/** A part of a network's metadata was changed. */
export interface MetadataEvent {
  readonly network: VirNetwork;
  /** 0 the description, 1 the title, 2 an element. */
  readonly type: number;
  readonly uri?: string;
}

/** Opens a connection. @throws VirError */
export async function connect({ socket = DEFAULT_SOCKET, readOnly = false }: ConnectOptions = {}): Promise<Connection> {
  const connection = new Connection();
  await connection.open(socket, readOnly);
  return connection;
}

/** A connection (virConnect). */
export class Connection {
  readonly #callbacks = new Map<number, (frame: Frame) => void>();
  #early: Frame[] = [];
  #channel: ClientConnection | undefined;

  /** Called by `connect`. */
  async open(socket: string, readOnly: boolean): Promise<void> {
    const channel = await ClientConnection.open(socket, (frame) => this.#message(frame));
    this.#channel = channel;
    await channel.call(CONNECTION_CALLS.authList, undefined);
    const flags = readOnly ? OPEN_READ_ONLY : 0;
    await channel.call(CONNECTION_CALLS.open, { name: 'network:///system', flags });
  }

  /** For the networks and ports of this connection. */
  get channel(): ClientConnection {
    if (this.#channel === undefined) throw new VirError(VIR_CODE.internal, 'connection not open');
    return this.#channel;
  }

  /** virConnectClose */
  async close(): Promise<void> {
    await this.channel.call(CONNECTION_CALLS.close, undefined);
    this.channel.close();
  }

  /** virConnectNumOfNetworks: the number of active networks. */
  async numOfNetworks(): Promise<number> {
    return (await this.channel.call(NETWORK_CALLS.numOfNetworks, undefined)).number;
  }

  /** virConnectListNetworks, as its first draft had it: the ids of active networks. */
  async listNetworks(): Promise<readonly number[]> {
    const networks = await this.listAllNetworks({ active: true });
    const ids = await Promise.all(networks.map((network) => network.getId()));
    return ids.filter((id) => id !== undefined).toSorted((a, b) => a - b);
  }

  /** virConnectNumOfDefinedNetworks: the number of networks that are defined and not active. */
  async numOfDefinedNetworks(): Promise<number> {
    return (await this.channel.call(NETWORK_CALLS.numOfDefinedNetworks, undefined)).number;
  }

  /** virConnectListDefinedNetworks: the names of networks that are defined and not active. */
  async listDefinedNetworks(): Promise<readonly string[]> {
    const max = await this.numOfDefinedNetworks();
    return (await this.channel.call(NETWORK_CALLS.listDefinedNetworks, { max })).names;
  }

  /** The names of active networks: virConnectListNetworks of today. */
  async listActiveNames(): Promise<readonly string[]> {
    const max = await this.numOfNetworks();
    return (await this.channel.call(NETWORK_CALLS.listNetworks, { max })).names;
  }

  /** virConnectListAllNetworks */
  async listAllNetworks(filter: NetworkFilter = {}): Promise<readonly VirNetwork[]> {
    const { networks } = await this.channel.call(NETWORK_CALLS.listAllNetworks, {
      needResults: 1,
      flags: flagOf(filter.active, 2, 1) | flagOf(filter.persistent, 4, 8) | flagOf(filter.autostart, 16, 32),
    });
    return networks.map((key) => this.#network(key));
  }

  /** virNetworkLookupByName @throws VirError 43 */
  async networkLookupByName(name: string): Promise<VirNetwork> {
    return this.#network((await this.channel.call(NETWORK_CALLS.lookupByName, { name })).network);
  }

  /** virNetworkLookupByID, of the first draft: the active network with an id. @throws VirError 43 */
  async networkLookupById(id: number): Promise<VirNetwork> {
    const networks = await this.listAllNetworks({ active: true });
    const ids = await Promise.all(networks.map((network) => network.getId()));
    const network = networks[ids.indexOf(id)];
    if (network !== undefined) return network;
    throw VirError.of(VIR_CODE.noNetwork, `no network with matching id '${id}'`);
  }

  /** virNetworkLookupByUUID: 16 bytes. @throws VirError 43 */
  async networkLookupByUuid(uuid: Uint8Array): Promise<VirNetwork> {
    return await this.networkLookupByUuidString(Buffer.from(uuid).toString('hex'));
  }

  /** virNetworkLookupByUUIDString @throws VirError 43 */
  async networkLookupByUuidString(uuid: string): Promise<VirNetwork> {
    return this.#network((await this.channel.call(NETWORK_CALLS.lookupByUuid, { uuid })).network);
  }

  /** virNetworkCreateXML: starts a network that goes when it is stopped. */
  async networkCreateXml(xml: string, { validate = false } = {}): Promise<VirNetwork> {
    const { channel } = this;
    const { network } = validate
      ? await channel.call(NETWORK_CALLS.createXmlFlags, { xml, flags: 1 })
      : await channel.call(NETWORK_CALLS.createXml, { xml });
    return this.#network(network);
  }

  /** virNetworkDefineXML */
  async networkDefineXml(xml: string, { validate = false } = {}): Promise<VirNetwork> {
    const { channel } = this;
    const { network } = validate
      ? await channel.call(NETWORK_CALLS.defineXmlFlags, { xml, flags: 1 })
      : await channel.call(NETWORK_CALLS.defineXml, { xml });
    return this.#network(network);
  }

  /** virConnectNetworkEventRegisterAny for lifecycle events. @returns a function that ends it */
  onLifecycle(listener: (event: NetworkLifecycle) => void, of?: VirNetwork): Promise<() => Promise<void>> {
    return this.#register(EVENT_ID.lifecycle, of, (frame) => {
      const { network, event } = decode(LIFECYCLE_MESSAGE.body, frame.payload);
      const kind = KINDS[event];
      if (kind !== undefined) listener({ kind, network: this.#network(network) });
    });
  }

  /** virConnectNetworkEventRegisterAny for changes of metadata. @returns a function that ends it */
  onMetadataChange(listener: (event: MetadataEvent) => void, of?: VirNetwork): Promise<() => Promise<void>> {
    return this.#register(EVENT_ID.metadataChange, of, (frame) => {
      const { network, type, uri } = decode(METADATA_MESSAGE.body, frame.payload);
      listener({ network: this.#network(network), type, ...(uri !== undefined && { uri }) });
    });
  }

  async #register(eventId: number, of: VirNetwork | undefined, take: (frame: Frame) => void) {
    const network = of && { name: of.getName(), uuid: of.getUuidString() };
    const { callbackId } = await this.channel.call(EVENT_CALLS.register, { eventId, network });
    this.#callbacks.set(callbackId, take);
    // An event may have come before its callback was known here.
    for (const frame of this.#early.splice(0)) this.#message(frame);
    return async () => {
      this.#callbacks.delete(callbackId);
      await this.channel.call(EVENT_CALLS.deregister, { callbackId });
    };
  }

  #message(frame: Frame): void {
    if (frame.payload.length < 4) return;
    const take = this.#callbacks.get(frame.payload.readInt32BE(0));
    if (take !== undefined) take(frame);
    else if (this.#early.length < EARLY_MAX) this.#early.push(frame);
  }

  #network({ name, uuid }: NetworkKey): VirNetwork {
    return new VirNetwork(this, { name, uuid });
  }
}

/** Events of callbacks that were just ended are dropped beyond this number. */
const EARLY_MAX = 100;

const KINDS: Readonly<Record<number, keyof typeof LIFECYCLE>> = {
  0: 'defined',
  1: 'undefined',
  2: 'started',
  3: 'stopped',
};

function flagOf(wanted: boolean | undefined, yes: number, no: number): number {
  if (wanted === undefined) return 0;
  return wanted ? yes : no;
}
