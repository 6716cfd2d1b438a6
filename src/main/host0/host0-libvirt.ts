/** Composes host0's answers to programs of libvirt. The code is loaded only where host0.conf asks for it. */
import { dirname, join } from 'node:path';
import type { Channels } from '../../api/channel/channels.ts';
import { AskedNodes, type AskedNodesInput } from '../../api/control/asked-nodes.ts';
import { networkLeases } from '../../api/control/lease-handlers.ts';
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import type { Controller } from '../../controller/controller.ts';
import type { ServiceOrders } from '../../controller/services/service-orders.ts';
import type { Host0Settings } from '../../formats/host0/host0-conf.ts';
import { unixPeer } from '../../kernel/unix/unix-peer.ts';
import type { Clock } from '../../model/clock.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import type { Journal } from '../../protocol/journal/journal.ts';

/** What host0 has before it speaks libvirt's protocol. */
export interface Host0LibvirtInput {
  readonly settings: Pick<Host0Settings, 'libvirt'>;
  readonly paths: Paths;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly catalogue: NetworkCatalogue;
  /** The name of the node on this machine. */
  readonly node: string;
  readonly services: ServiceOrders;
  readonly controller: Pick<Controller, 'nodes' | 'addHealthOf'>;
  readonly channels: Pick<Channels, 'connectionOf'>;
  readonly ownNode: AskedNodesInput['ownNode'];
}

/** libvirt's protocol while host0's daemon runs. */
export interface Host0Libvirt {
  close(): void;
}

/** Listens at the sockets that host0.conf asks for. */
export async function openLibvirt(input: Host0LibvirtInput): Promise<Host0Libvirt> {
  const { settings, paths } = input;
  if (settings.libvirt === 'off') return { close: () => undefined };
  const { openCatalogueServer } = await import('../../libvirt/driver/catalogue-server.ts');
  const nodes = new AskedNodes(input);
  const server = await openCatalogueServer({
    ...input,
    leases: (name) => networkLeases(name, input.services, nodes),
    peerOf: unixPeer,
    paths: [paths.libvirtSock],
    shared: settings.libvirt === 'system' ? [paths.virtnetworkdSock] : [],
    state: join(dirname(paths.libvirtSock), 'ports.json'),
  });
  input.controller.addHealthOf(server);
  return { close: () => server.close() };
}
