/** A network (virNetwork) of a connection. */
import { NETWORK_CALLS as CALLS, XML_ID, XML_INACTIVE } from '../calls/network-calls.ts';
import { PORT_CALLS } from '../calls/port-calls.ts';
import type { Lease, NetworkKey } from '../calls/values.ts';
import type { ClientConnection } from './client-connection.ts';
import { NetworkPort } from './network-port.ts';

/** What a network needs of its connection. */
export interface NetworkOwner {
  readonly channel: ClientConnection;
}

/** Which document of a network a change is for. Without either: the one in force. */
export interface Affect {
  readonly live?: boolean;
  readonly config?: boolean;
}

/** A change of one part (virNetworkUpdate), with libvirt's numbers of commands and sections. */
export interface PartUpdate extends Affect {
  /** 1 modify, 2 delete, 3 add last, 4 add first. */
  readonly command: number;
  /** 4 DHCP host, 5 DHCP range, 7 forward interface, 9 port group, 10 DNS host, 11 DNS TXT, 12 DNS SRV. */
  readonly section: number;
  readonly parentIndex?: number;
  readonly xml: string;
}

/** The metadata of a network: 0 the description, 1 the title, 2 the element of `uri`. */
export interface MetadataPart extends Affect {
  readonly type: number;
  readonly uri?: string;
}

/** A network. Its functions ask the server each time. */
export class VirNetwork {
  readonly #owner: NetworkOwner;
  readonly #key: NetworkKey;

  constructor(owner: NetworkOwner, key: NetworkKey) {
    this.#owner = owner;
    this.#key = key;
  }

  /** virNetworkGetName */
  getName(): string {
    return this.#key.name;
  }

  /** virNetworkGetUUID: 16 bytes. */
  getUuid(): Uint8Array {
    return Buffer.from(this.#key.uuid.replaceAll('-', ''), 'hex');
  }

  /** virNetworkGetUUIDString */
  getUuidString(): string {
    return this.#key.uuid;
  }

  /** virNetworkGetID, of the first draft: a small number while the network is active. */
  async getId(): Promise<number | undefined> {
    const [, id] = /<network[^>]*\sid='(\d+)'/.exec(await this.getXmlDesc({ id: true })) ?? [];
    return id === undefined ? undefined : Number(id);
  }

  /** virNetworkCreate: starts the network. */
  async create(): Promise<void> {
    await this.#channel.call(CALLS.create, { network: this.#key });
  }

  /** virNetworkDestroy: stops the network. */
  async destroy(): Promise<void> {
    await this.#channel.call(CALLS.destroy, { network: this.#key });
  }

  /** virNetworkUndefine */
  async undefine(): Promise<void> {
    await this.#channel.call(CALLS.undefine, { network: this.#key });
  }

  /** virNetworkFree: nothing is held for a network, so that nothing has to be freed. */
  free(): void {
    // A program that was written after libvirt's functions calls it.
  }

  /** virNetworkGetXMLDesc */
  async getXmlDesc({ inactive = false, id = false } = {}): Promise<string> {
    const flags = (inactive ? XML_INACTIVE : 0) | (id ? XML_ID : 0);
    return (await this.#channel.call(CALLS.getXmlDesc, { network: this.#key, flags })).xml;
  }

  /** virNetworkUpdate */
  async update({ command, section, parentIndex = -1, xml, ...affect }: PartUpdate): Promise<void> {
    const change = { command, section, parentIndex, xml, flags: affectFlags(affect) };
    await this.#channel.call(CALLS.update, { network: this.#key, ...change });
  }

  /** virNetworkGetBridgeName @throws VirError 1 where no bridge carries the network */
  async getBridgeName(): Promise<string> {
    return (await this.#channel.call(CALLS.getBridgeName, { network: this.#key })).name;
  }

  /** virNetworkGetAutostart */
  async getAutostart(): Promise<boolean> {
    return (await this.#channel.call(CALLS.getAutostart, { network: this.#key })).autostart;
  }

  /** virNetworkSetAutostart */
  async setAutostart(autostart: boolean): Promise<void> {
    await this.#channel.call(CALLS.setAutostart, { network: this.#key, autostart });
  }

  /** virNetworkIsActive */
  async isActive(): Promise<boolean> {
    return (await this.#channel.call(CALLS.isActive, { network: this.#key })).active;
  }

  /** virNetworkIsPersistent */
  async isPersistent(): Promise<boolean> {
    return (await this.#channel.call(CALLS.isPersistent, { network: this.#key })).persistent;
  }

  /** virNetworkGetDHCPLeases @param mac of the only guest that is wanted */
  async getDhcpLeases(mac?: string): Promise<readonly Lease[]> {
    const { leases } = await this.#channel.call(CALLS.getDhcpLeases, {
      ...{ network: this.#key, mac },
      ...{ needResults: 1, flags: 0 },
    });
    return leases;
  }

  /** virNetworkGetMetadata @throws VirError 111 */
  async getMetadata({ type, uri, ...affect }: MetadataPart): Promise<string> {
    const wanted = { type, uri, flags: affectFlags(affect) };
    return (await this.#channel.call(CALLS.getMetadata, { network: this.#key, ...wanted })).metadata;
  }

  /** virNetworkSetMetadata @param metadata absent: the part is removed */
  async setMetadata(metadata: string | undefined, name: MetadataPart & { readonly key?: string }): Promise<void> {
    const { type, uri, key, ...affect } = name;
    const change = { type, metadata, key, uri, flags: affectFlags(affect) };
    await this.#channel.call(CALLS.setMetadata, { network: this.#key, ...change });
  }

  /** virNetworkListAllPorts */
  async listAllPorts(): Promise<readonly NetworkPort[]> {
    const wanted = { network: this.#key, needResults: 1, flags: 0 };
    const { ports } = await this.#channel.call(PORT_CALLS.listAllPorts, wanted);
    return ports.map((port) => new NetworkPort(this.#owner, port));
  }

  /** virNetworkPortLookupByUUIDString @throws VirError 107 */
  async portLookupByUuidString(uuid: string): Promise<NetworkPort> {
    const { port } = await this.#channel.call(PORT_CALLS.lookupByUuid, { network: this.#key, uuid });
    return new NetworkPort(this.#owner, port);
  }

  /** virNetworkPortCreateXML */
  async portCreateXml(xml: string, { reclaim = false, validate = false } = {}): Promise<NetworkPort> {
    const flags = (reclaim ? 1 : 0) | (validate ? 2 : 0);
    const { port } = await this.#channel.call(PORT_CALLS.createXml, { network: this.#key, xml, flags });
    return new NetworkPort(this.#owner, port);
  }

  get #channel(): ClientConnection {
    return this.#owner.channel;
  }
}

function affectFlags({ live = false, config = false }: Affect): number {
  return (live ? 1 : 0) | (config ? 2 : 0);
}
