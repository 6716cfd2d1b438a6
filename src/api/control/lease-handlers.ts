/** What host0 answers of leases: it asks the nodes that serve. */
import type { ServiceOrders } from '../../controller/services/service-orders.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { NetworkLeases } from '../../protocol/documents/service/guest-lease.ts';
import type { LEASE_ROUTES } from '../../protocol/routes/network/lease-routes.ts';
import type { AskedNodes } from './asked-nodes.ts';

/** The handlers of leases. */
export function leaseHandlers(services: ServiceOrders, nodes: AskedNodes): RouteHandlers<typeof LEASE_ROUTES> {
  return { 'GET /v1/catalogue/{name}/leases': ({ path: { name } }) => networkLeases(name, services, nodes) };
}

/** The leases of a network, from all nodes that serve it. @throws MESH_NET_UNKNOWN */
export async function networkLeases(
  name: string,
  services: Pick<ServiceOrders, 'dhcpServers'>,
  nodes: Pick<AskedNodes, 'answers'>,
): Promise<NetworkLeases> {
  const { network, machines } = services.dhcpServers(name);
  const answers = await Promise.all(machines.map((machine) => answersOf(machine, network, nodes)));
  const leases = answers.flat().flatMap((told) => {
    return 'answer' in told ? told.answer.map((lease) => ({ ...lease, node: told.node })) : [];
  });
  return {
    leases: leases.toSorted((a, b) => a.address.localeCompare(b.address, 'en', { numeric: true })),
    silent: answers.flat().flatMap((told) => ('error' in told ? [{ node: told.node, why: told.error.message }] : [])),
  };
}

/** A node that host0 does not know any more has given its addresses all the same: the others are told, and this one is named. */
async function answersOf(machine: MachineWord, network: NetworkId, nodes: Pick<AskedNodes, 'answers'>) {
  try {
    return await nodes.answers(machine, (node) => node.ask('GET /leases', { query: { network } }));
  } catch (thrown) {
    return [{ node: machine, error: MeshError.from(thrown) }];
  }
}
