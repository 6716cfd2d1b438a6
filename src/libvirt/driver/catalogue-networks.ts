/** The networks of host0's catalogue for clients of libvirt. A change of a network by any other command is told here, too. */
import { randomUUID } from 'node:crypto';
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import type { LifecycleEvent } from '../../controller/catalogue/network-lifecycle.ts';
import { networkMetadata, withNetworkMetadata } from '../../formats/xml/network-metadata.ts';
import { printNetworkXml } from '../../formats/xml/network-print.ts';
import { parseUpdateXml } from '../../formats/xml/network-update.ts';
import { parseNetworkXml } from '../../formats/xml/network-xml.ts';
import { parsePortXml, printPortXml } from '../../formats/xml/port-xml.ts';
import type { Network } from '../../model/network/network.ts';
import { Signal } from '../../model/signal.ts';
import {
  activeIdOf,
  type CatalogueView,
  definitionIn,
  isActiveView,
  isPersistentView,
  type NetworkOrder,
  startsAtBoot,
} from '../../protocol/documents/catalogue.ts';
import type { NetworkLeases } from '../../protocol/documents/service/guest-lease.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Lease, NetworkKey, Parameter } from '../calls/values.ts';
import { VIR_CODE as CODE, VirError } from '../rpc/vir-error.ts';
import { guestLease } from './guest-leases.ts';
import { atHost0, atNode } from './home-node.ts';
import type { PortDocuments } from './port-documents.ts';
import { bandwidthParameters, pluggedPort, withBandwidth } from './port-plug.ts';
import { noNetwork, notNow } from './refusals.ts';
import type {
  Affected,
  MetadataKey,
  NetworkEvent,
  PartialChange,
  PortOptions,
  VirtualNetwork,
  VirtualNetworks,
  WantedMetadata,
} from './virtual-networks.ts';

/** What is needed beside the catalogue. */
export interface CatalogueNetworksInput {
  readonly catalogue: NetworkCatalogue;
  /** The name of the node on host0's machine: networks of libvirt are there. */
  readonly node: string;
  /** Asks the nodes that serve a network for its leases. */
  readonly leases: (name: string) => Promise<NetworkLeases>;
  readonly ports: PortDocuments;
  readonly journal: Journal;
}

/** Networks of the catalogue. Those that are being deleted, or are refused, are not shown. */
export class CatalogueNetworks implements VirtualNetworks {
  readonly #input: CatalogueNetworksInput;
  readonly #lifecycle = new Signal<NetworkEvent>();
  readonly lifecycle = this.#lifecycle;
  readonly metadataChanges = new Signal<MetadataKey & { readonly network: NetworkKey }>();

  constructor(input: CatalogueNetworksInput) {
    this.#input = input;
    input.catalogue.lifecycle.subscribe((event) => this.#tell(event));
  }

  list(): readonly VirtualNetwork[] {
    return this.#views().map((view) => this.#shown(view));
  }

  byName(name: string): VirtualNetwork | undefined {
    const view = this.#lookUp('name', name);
    return view && this.#shown(view);
  }

  byUuid(uuid: string): VirtualNetwork | undefined {
    const view = this.#viewOf(uuid);
    return view && this.#shown(view);
  }

  xml(uuid: string, { inactive }: { readonly inactive: boolean }): string {
    const view = this.#found(uuid);
    const network = inactive ? definitionIn(view) : view.network;
    const connections = this.#input.ports.in(uuid).length;
    const isLive = !inactive && isActiveView(view);
    return printNetworkXml(this.#printed(network), {
      inactive: !isLive,
      ...(isLive && connections > 0 && { connections, cardConnections: this.#cardConnections(uuid, network) }),
    });
  }

  async define(xml: string, options: { readonly validate: boolean }): Promise<NetworkKey> {
    const order = this.#ordered(xml, options);
    const { network } = await this.#input.catalogue.define(order, { source: 'libvirt' });
    return this.#keyOf(network);
  }

  async create(xml: string, options: { readonly validate: boolean }): Promise<NetworkKey> {
    const order = this.#ordered(xml, options);
    const known = this.#viewOf(String(order.uuid));
    if (known !== undefined && isActiveView(known)) {
      throw notNow(`network is already active as '${known.network.name}'`);
    }
    const { network } = await this.#input.catalogue.createTransient(order, { source: 'libvirt' });
    return this.#keyOf(network);
  }

  async start(uuid: string): Promise<void> {
    const { change } = await this.#input.catalogue.start(this.#found(uuid).network.name);
    if (change === 'unchanged') throw notNow('network is already active');
  }

  async stop(uuid: string): Promise<void> {
    const { name } = this.#found(uuid).network;
    const { change } = await this.#input.catalogue.stop(name);
    if (change === 'unchanged') throw notNow(`network '${name}' is not active`);
    await this.#input.ports.dropAll(uuid);
  }

  async undefine(uuid: string): Promise<void> {
    await this.#input.catalogue.undefine(this.#found(uuid).network.name);
  }

  async setAutostart(uuid: string, autostart: boolean): Promise<void> {
    await this.#input.catalogue.setAutostart(this.#found(uuid).network.name, autostart);
  }

  async leases(uuid: string): Promise<readonly Lease[]> {
    const { network } = this.#found(uuid);
    // A network without DHCP has no leases; the commands of Meshwork refuse the question instead.
    if (network.subnets.every(({ dhcp }) => dhcp === undefined)) return [];
    const { leases } = await this.#input.leases(network.name);
    return leases.map((lease) => guestLease(lease, network));
  }

  async update(uuid: string, { command, section, parentIndex, xml }: PartialChange, affected: Affected): Promise<void> {
    const { name } = this.#found(uuid).network;
    const portsOn = (card: string) => this.#input.ports.on(uuid, card);
    const change = (network: Network) => {
      const printed = this.#printed(network);
      // A part that the change took away is absent, and must not come back from the network before it.
      const { uuid: _, ...changed } = parseUpdateXml({ section, command, parentIndex, xml, portsOn })(printed);
      return { ...changed, span: network.span, ...(network.uuid !== undefined && { uuid: network.uuid }) };
    };
    await this.#input.catalogue.update(name, change, affected);
  }

  metadata(uuid: string, key: MetadataKey, { inactive }: { readonly inactive: boolean }): string {
    const view = this.#found(uuid);
    return networkMetadata(this.#printed(inactive ? definitionIn(view) : view.network), key);
  }

  async setMetadata(uuid: string, change: WantedMetadata, affected: Affected): Promise<void> {
    const { network } = this.#found(uuid);
    const { type, uri } = change;
    await this.#input.catalogue.update(network.name, (was) => withNetworkMetadata(was, change), affected);
    this.metadataChanges.emit({ network: this.#keyOf(network), type, uri });
  }

  ports(uuid: string): readonly string[] {
    return this.#input.ports.in(uuid).map(({ port }) => port.uuid);
  }

  portXml(uuid: string, port: string): string {
    return printPortXml(this.#input.ports.find(uuid, port).port);
  }

  async createPort(uuid: string, xml: string, options: PortOptions): Promise<string> {
    const port = parsePortXml(xml, options);
    const portsOn = (card: string) => this.#input.ports.on(uuid, card);
    const plugged = () => pluggedPort(port, this.#found(uuid).network, { ...options, portsOn });
    await this.#input.ports.add(uuid, port, plugged);
    return port.uuid;
  }

  async deletePort(uuid: string, port: string): Promise<void> {
    await this.#input.ports.delete(uuid, port);
  }

  portParameters(uuid: string, port: string): readonly Parameter[] {
    return bandwidthParameters(this.#input.ports.find(uuid, port).port);
  }

  async setPortParameters(uuid: string, port: string, parameters: readonly Parameter[]): Promise<void> {
    const kept = this.#input.ports.find(uuid, port);
    await this.#input.ports.replace({ ...kept, port: withBandwidth(kept.port, parameters) });
  }

  /** The document's order, with a UUID: one is made where the document has none, as libvirt does. @throws VirError 1, 9 */
  #ordered(xml: string, { validate }: { readonly validate: boolean }): NetworkOrder {
    const { order, name, uuid = randomUUID() } = parseNetworkXml(xml, { validate });
    const sameUuid = this.#viewOf(uuid);
    const sameName = this.#lookUp('name', name);
    const bridge = bridgeName(order);
    const holder = bridge === undefined ? undefined : this.#lookUp('device', bridge);
    if (holder !== undefined && holder.network.id !== sameUuid?.network.id) {
      throw VirError.of(CODE.internal, `bridge name '${bridge}' already in use.`);
    }
    if (sameUuid !== undefined && sameUuid.network.name !== name) {
      throw VirError.of(
        CODE.operationFailed,
        `network '${sameUuid.network.name}' is already defined with uuid ${uuid}`,
      );
    }
    if (sameName !== undefined && sameName.network.id !== sameUuid?.network.id) {
      const other = this.#input.catalogue.uuidOf(sameName.network);
      throw VirError.of(CODE.operationFailed, `network '${name}' already exists with uuid ${other}`);
    }
    return atNode({ ...order, uuid }, this.#input.node);
  }

  #cardConnections(uuid: string, { type }: Network): Readonly<Record<string, number>> {
    const cards = type.kind === 'macvtap' ? type.cards : [];
    return Object.fromEntries(cards.map((card) => [card, this.#input.ports.on(uuid, card)]));
  }

  #views(): readonly CatalogueView[] {
    return this.#input.catalogue.views().filter(isListed);
  }

  #viewOf(uuid: string): CatalogueView | undefined {
    return this.#lookUp('uuid', uuid);
  }

  #lookUp(part: 'name' | 'uuid' | 'device', text: string): CatalogueView | undefined {
    const view = this.#input.catalogue.lookUp(part, text);
    return view !== undefined && isListed(view) ? view : undefined;
  }

  #found(uuid: string): CatalogueView {
    const view = this.#viewOf(uuid);
    if (view === undefined) throw noNetwork(`no network with matching uuid '${uuid}'`);
    return view;
  }

  #shown(view: CatalogueView): VirtualNetwork {
    const { bridge } = view.network;
    const id = activeIdOf(view);
    return {
      ...this.#keyOf(view.network),
      active: isActiveView(view),
      persistent: isPersistentView(view),
      // libvirt's networks stay down after a boot unless they were told otherwise. Ours are as they were before.
      autostart: view.network.source === 'libvirt' ? view.autostart === true : startsAtBoot(view),
      ...(id !== undefined && { id }),
      ...(bridge !== undefined && { bridge: bridge.name }),
    };
  }

  #printed(network: Network): Network {
    return atHost0({ ...network, uuid: this.#input.catalogue.uuidOf(network) }, this.#input.node);
  }

  #keyOf(network: Network): NetworkKey {
    return { name: network.name, uuid: this.#input.catalogue.uuidOf(network) };
  }

  #tell({ kind, network }: LifecycleEvent): void {
    const key = this.#keyOf(network);
    // Whatever stopped the network: its ports are gone with it.
    if (kind === 'stopped') {
      const dropped = this.#input.ports.dropAll(key.uuid);
      dropped.catch((fault: unknown) => this.#input.journal.failure('libvirt ports not dropped', fault));
    }
    // libvirt tells nobody of an update.
    if (kind !== 'updated') this.#lifecycle.emit({ kind, network: key });
  }
}

function isListed({ activity: { phase } }: CatalogueView): boolean {
  return phase === 'active' || phase === 'stopped';
}

function bridgeName({ bridge }: NetworkOrder): string | undefined {
  const name: unknown = typeof bridge === 'object' && bridge !== null ? Reflect.get(bridge, 'name') : undefined;
  return typeof name === 'string' && !name.includes('%') ? name : undefined;
}
