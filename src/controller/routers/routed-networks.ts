/** The networks that need an active router, with the nodes that can be it. Pure. */
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { type ServiceKind, SINGLE_KINDS } from '../../model/network/services/network-service.ts';
import { ROUTER_ROLE, type ServiceNodes } from '../../model/network/services/service-nodes.ts';
import type { RoutedNetwork } from './active-routers.ts';

/** A service of a network, as far as its nodes are concerned. */
interface PlacedService {
  readonly network: Network['number'];
  readonly service: ServiceNodes & { readonly kind: ServiceKind };
  readonly removing?: true;
}

/** Which nodes have which roles. */
interface RolesOfNodes {
  readonly machines: readonly MachineWord[];
  of(machine: MachineWord): readonly string[];
}

/**
 * The networks with a service that exists once. All of these services of a network are on one router, which serves each of them.
 * @param nodeCalled the node of a name or machine id; undefined for one that host0 does not know
 */
export function routedNetworks(
  networks: () => readonly Network[],
  services: readonly PlacedService[],
  roles: RolesOfNodes,
  nodeCalled: (name: string) => MachineWord | undefined,
): RoutedNetwork[] {
  const single = services.filter(({ service, removing }) => SINGLE_KINDS.includes(service.kind) && removing !== true);
  if (single.length === 0) return [];
  const byNetwork = Map.groupBy(single, ({ network }) => network);
  const byRole = roles.machines.filter((machine) => roles.of(machine).includes(ROUTER_ROLE));
  return networks().flatMap(({ number, name }) => {
    const placed = byNetwork.get(number);
    if (placed === undefined) return [];
    const nodesOf = placed.map(({ service: { nodes } }) => nodes?.flatMap((node) => nodeCalled(node) ?? []) ?? byRole);
    const [first = [], ...others] = nodesOf.map((nodes) => new Set(nodes));
    return [{ number, name, routers: [...others.reduce((some, nodes) => some.intersection(nodes), new Set(first))] }];
  });
}
