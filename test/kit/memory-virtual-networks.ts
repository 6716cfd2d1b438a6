/** Networks in memory for tests of the driver: their XML documents are kept as texts, and nothing is carried out. */
import { randomUUID } from 'node:crypto';
import type { Lease, NetworkKey, Parameter } from '../../src/libvirt/calls/values.ts';
import type {
  MetadataKey,
  NetworkEvent,
  PartialChange,
  VirtualNetwork,
  VirtualNetworks,
  WantedMetadata,
} from '../../src/libvirt/driver/virtual-networks.ts';
import { VIR_CODE, VirError } from '../../src/libvirt/rpc/vir-error.ts';
import { Signal } from '../../src/model/signal.ts';

interface Kept extends VirtualNetwork {
  readonly live: string | undefined;
  readonly config: string | undefined;
}

/** Keeps networks. */
export class MemoryVirtualNetworks implements VirtualNetworks {
  readonly #kept = new Map<string, Kept>();
  readonly #ports = new Map<string, string>();
  readonly #metadata = new Map<string, string>();
  readonly #parameters = new Map<string, readonly Parameter[]>();
  readonly lifecycle = new Signal<NetworkEvent>();
  readonly metadataChanges = new Signal<MetadataKey & { readonly network: NetworkKey }>();
  /** What `leases` answers. */
  given: readonly Lease[] = [];
  /** What `update` was asked for. */
  readonly updates: PartialChange[] = [];

  list(): readonly VirtualNetwork[] {
    return [...this.#kept.values()];
  }

  byName(name: string): VirtualNetwork | undefined {
    return this.list().find((network) => network.name === name);
  }

  byUuid(uuid: string): VirtualNetwork | undefined {
    return this.#kept.get(uuid);
  }

  xml(uuid: string, { inactive }: { readonly inactive: boolean }): string {
    const { live, config } = this.#found(uuid);
    return (inactive ? (config ?? live) : (live ?? config)) ?? '';
  }

  async define(xml: string): Promise<NetworkKey> {
    const key = this.#keyIn(xml);
    const before = this.#kept.get(key.uuid);
    const state = { active: false, autostart: false, bridge: 'virbr0', live: undefined, ...before };
    this.#keep({ ...state, ...key, persistent: true, config: xml }, 'defined');
    return key;
  }

  async create(xml: string): Promise<NetworkKey> {
    const key = this.#keyIn(xml);
    const state = { autostart: false, persistent: false, bridge: 'virbr0', config: undefined };
    this.#keep({ ...state, ...this.#kept.get(key.uuid), ...key, active: true, live: xml }, 'started');
    return key;
  }

  async start(uuid: string): Promise<void> {
    const network = this.#found(uuid);
    this.#keep({ ...network, active: true, live: network.config }, 'started');
  }

  async stop(uuid: string): Promise<void> {
    const network = this.#found(uuid);
    this.#keep({ ...network, active: false, live: undefined }, 'stopped');
    if (!network.persistent) this.#kept.delete(uuid);
  }

  async undefine(uuid: string): Promise<void> {
    const network = this.#found(uuid);
    this.#keep({ ...network, persistent: false, autostart: false, config: undefined }, 'undefined');
    if (!network.active) this.#kept.delete(uuid);
  }

  async setAutostart(uuid: string, autostart: boolean): Promise<void> {
    this.#kept.set(uuid, { ...this.#found(uuid), autostart });
  }

  async update(_uuid: string, change: PartialChange): Promise<void> {
    this.updates.push(change);
  }

  async leases(): Promise<readonly Lease[]> {
    return this.given;
  }

  metadata(uuid: string, { type, uri }: MetadataKey): string {
    const text = this.#metadata.get(`${uuid} ${type} ${uri}`);
    if (text === undefined) {
      throw VirError.of(VIR_CODE.noMetadata, 'Requested metadata element is not present');
    }
    return text;
  }

  async setMetadata(uuid: string, { type, uri, text }: WantedMetadata): Promise<void> {
    const { name } = this.#found(uuid);
    if (text === undefined) this.#metadata.delete(`${uuid} ${type} ${uri}`);
    else this.#metadata.set(`${uuid} ${type} ${uri}`, text);
    this.metadataChanges.emit({ network: { name, uuid }, type, uri });
  }

  ports(): readonly string[] {
    return [...this.#ports.keys()];
  }

  portXml(_uuid: string, port: string): string {
    return this.#ports.get(port) ?? '';
  }

  async createPort(_uuid: string, xml: string): Promise<string> {
    const port = part(xml, 'uuid') ?? randomUUID();
    this.#ports.set(port, xml);
    return port;
  }

  async deletePort(_uuid: string, port: string): Promise<void> {
    this.#ports.delete(port);
  }

  portParameters(_uuid: string, port: string): readonly Parameter[] {
    return this.#parameters.get(port) ?? [];
  }

  async setPortParameters(_uuid: string, port: string, parameters: readonly Parameter[]): Promise<void> {
    this.#parameters.set(port, parameters);
  }

  /** Gives an active network its id. */
  giveId(uuid: string, id: number): void {
    const network = this.#kept.get(uuid);
    if (network !== undefined) this.#kept.set(uuid, { ...network, id });
  }

  #keep(network: Kept, kind: NetworkEvent['kind']): void {
    this.#kept.set(network.uuid, network);
    this.lifecycle.emit({ kind, network: { name: network.name, uuid: network.uuid } });
  }

  #found(uuid: string): Kept {
    const network = this.#kept.get(uuid);
    if (network === undefined) throw new Error(`no network ${uuid}`);
    return network;
  }

  #keyIn(xml: string): NetworkKey {
    const name = part(xml, 'name');
    if (name === undefined) throw VirError.of(VIR_CODE.noName, 'missing name information');
    return { name, uuid: part(xml, 'uuid') ?? this.byName(name)?.uuid ?? randomUUID() };
  }
}

function part(xml: string, element: string): string | undefined {
  return new RegExp(`<${element}>([^<]*)</${element}>`).exec(xml)?.[1];
}
