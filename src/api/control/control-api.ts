/** host0's control API, on a Unix socket (protocol/routes/control-routes.ts). */
import { once } from 'node:events';
import type { PortOrders } from '../../controller/assignments/port-orders.ts';
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import type { WrittenNetworks } from '../../controller/catalogue/written-networks.ts';
import type { Controller } from '../../controller/controller.ts';
import type { AddressOrders } from '../../controller/ipam/address-orders.ts';
import type { MulticastWatch } from '../../controller/multicast/multicast-watch.ts';
import type { AddressMaps } from '../../controller/services/address-maps.ts';
import type { ServiceOrders } from '../../controller/services/service-orders.ts';
import type { WorkloadOrders } from '../../controller/workloads/workload-orders.ts';
import type { ApiMetrics } from '../../metrics/api-metrics.ts';
import { expose } from '../../metrics/exposition.ts';
import type { Registry } from '../../metrics/registry.ts';
import type { Clock } from '../../model/clock.ts';
import { type RouteHandlers, routeServer } from '../../protocol/calls/route-server.ts';
import { meshDocument } from '../../protocol/documents/mesh-document.ts';
import { type Liveness, readinessOf } from '../../protocol/documents/readiness.ts';
import type { LeadershipView } from '../../protocol/documents/views.ts';
import { CONTROL_TIMES, ControlSocket } from '../../protocol/http/control-socket.ts';
import { http1Request, http1Response } from '../../protocol/http/exchange.ts';
import { createServer } from '../../protocol/http/http.ts';
import { lastEventId, type ReadConditions, streamJournal } from '../../protocol/http/journal-stream.ts';
import { requestListener } from '../../protocol/http/request-handler.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { CONTROL_ROUTES } from '../../protocol/routes/control-routes.ts';
import type { AskedNode } from '../channel/assignment-push.ts';
import { activationHandlers } from './activation-handlers.ts';
import { addressHandlers } from './address-handlers.ts';
import { AskedNodes } from './asked-nodes.ts';
import { ipamHandlers } from './ipam-handlers.ts';
import { leaseHandlers } from './lease-handlers.ts';
import { type BootControl, type Boots, bootHandlers, type KeyGiver, machineHandlers } from './machine-handlers.ts';
import { networkHandlers } from './network-handlers.ts';
import { type NodeHandlersInput, nodeHandlers } from './node-handlers.ts';
import { nodeLogHandlers } from './node-log-handlers.ts';
import { type OrderHandlersInput, orderHandlers } from './order-handlers.ts';
import { portHandlers } from './port-handlers.ts';
import { type RoleHandlersInput, roleHandlers } from './role-handlers.ts';
import { serviceHandlers } from './service-handlers.ts';
import { type StoreCopy, storeHandlers } from './store-handlers.ts';
import { workloadHandlers } from './workload-handlers.ts';
import { consoleHandlers, imageHandlers, screenHandlers } from './workload-tool-handlers.ts';
import { xmlPartHandlers } from './xml-part-handlers.ts';

/** The running API. */
export interface ControlApi {
  /** Ends all streams, and resolves when the socket is gone. */
  close(): Promise<void>;
}

/** The parts of host0 that the routes answer from. */
export interface ControlApiInput extends NodeHandlersInput, RoleHandlersInput, OrderHandlersInput {
  /** The path of the socket, claimed before (control-socket.ts). */
  readonly path: string;
  readonly controller: Controller;
  readonly catalogue: NetworkCatalogue;
  readonly multicast: Pick<MulticastWatch, 'viewOf'>;
  readonly addresses: AddressOrders;
  readonly clock: Clock;
  /** All that host0 knows, for backups. */
  readonly copyStore: () => Promise<StoreCopy>;
  readonly journal: Journal;
  readonly conditions: ReadConditions;
  readonly registry: Registry;
  readonly metrics: ApiMetrics;
  readonly boot: BootControl;
  readonly boots: Boots;
  readonly keys: KeyGiver;
  readonly ports: PortOrders;
  readonly workloads: WorkloadOrders;
  readonly addressMaps: AddressMaps;
  /** The services of networks. */
  readonly services: ServiceOrders;
  /** host0's own agent. */
  readonly ownNode: Pick<AskedNode, 'node'>;
  /** Whether this host0 leads: it does, where there is one only. */
  readonly leadership: () => LeadershipView;
  /** Why the process should be restarted; undefined when it works. */
  readonly stuck: () => string | undefined;
  /** The documents that people write into the store. */
  readonly written?: Pick<WrittenNetworks, 'refused'>;
  /** Brings findings up to date that only a look at a disk gives. */
  readonly beforeStatus: () => Promise<void>;
}

/**
 * Opens the API on its socket.
 * @throws MESH_KERNEL_REFUSED when the process cannot listen there
 */
export async function openControlApi(input: ControlApiInput): Promise<ControlApi> {
  const { path, controller, clock, journal, metrics } = input;
  const onFault = (thrown: unknown) => journal.faults.tell('request to the control socket', thrown);
  const routes = routeServer(CONTROL_ROUTES, controlHandlers(input), {
    onFault,
    onAnswer: (...answer) => metrics.answered('control', ...answer),
  });
  const listener = requestListener({
    handler: (request, response) => routes.answer(http1Request(request), http1Response(response), undefined),
    onFault,
  });
  const server = createServer(CONTROL_TIMES, listener);
  const socket = await ControlSocket.open({ path, server, clock, journal });
  controller.addHealthOf(socket);
  return {
    close: async () => {
      const closed = once(server, 'close');
      socket.close();
      // Streams do not end on their own.
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The handlers of all routes. */
export function controlHandlers(input: ControlApiInput): RouteHandlers<typeof CONTROL_ROUTES> {
  const { controller, journal, conditions, registry, stuck } = input;
  const nodes = new AskedNodes(input);
  return {
    'GET /health': (): Liveness => {
      const { node, version, upSec } = controller.status();
      const reason = stuck();
      const live = reason === undefined;
      return { live, process: 'host0', node, version, upSec, ...(!live && { reason }) };
    },
    'GET /ready': () => readinessOf(controller.status()),
    'GET /metrics': ({ headers }) => {
      const { contentType, body } = expose(registry, headers.accept);
      return { headers: { 'content-type': contentType }, text: body };
    },
    'GET /v1/openapi.json': async () => {
      const { openApi } = await import('../../protocol/openapi/openapi.ts');
      return openApi(CONTROL_ROUTES, { title: 'Meshwork, host0', where: 'On host0: /run/meshwork/control.sock' });
    },
    'GET /v1/events': ({ query: { follow }, headers }, open) =>
      streamJournal(journal, conditions, { follow, lastId: lastEventId(headers) }, open()),
    'GET /v1/status': async () => {
      await input.beforeStatus();
      return { ...controller.status(), leadership: input.leadership() };
    },
    'GET /v1/leadership': () => {
      const { segments, nics } = controller.host0State;
      return { ...input.leadership(), segments, nics };
    },
    'GET /v1/networks': () => controller.networks().map((view) => ({ ...view, network: meshDocument(view.network) })),
    ...networkHandlers(input.catalogue, input),
    ...activationHandlers(input.catalogue, input.clock),
    ...xmlPartHandlers(input.catalogue),
    ...ipamHandlers(input.addresses),
    ...serviceHandlers(input.services),
    ...leaseHandlers(input.services, nodes),
    ...addressHandlers(input.addressMaps),
    ...nodeHandlers(input),
    ...storeHandlers(input.copyStore),
    ...portHandlers(input.ports),
    ...nodeLogHandlers(nodes),
    ...workloadHandlers(input.workloads),
    ...consoleHandlers(nodes, input.workloads),
    ...screenHandlers(nodes, input.workloads),
    ...imageHandlers(nodes),
    ...orderHandlers(input),
    ...roleHandlers(input),
    ...machineHandlers(input.boots, input.keys),
    ...bootHandlers(input.boot, input.boots),
    'GET /v1/assignment': ({ query: { underlay } }, open) => {
      const stream = open();
      stream.onClose(
        controller.followAssignment((news) => {
          const isWhole = news.event === 'snapshot' || (news.event === 'underlay' && underlay === undefined);
          if (!isWhole) return stream.send({ event: news.event, data: JSON.stringify(news.data) });
          const whole = news.event === 'snapshot' ? news.data : news.whole;
          const document = { ...whole, networks: whole.networks.map(meshDocument) };
          stream.send({ event: 'snapshot', data: JSON.stringify(document) });
        }),
      );
    },
    'PUT /v1/self': ({ body }) => controller.selfReported(body),
  };
}
