/** What host0 answers of the roles of nodes. */
import type { Assignments } from '../../controller/assignments/assignments.ts';
import { nodeWithChannel } from '../../controller/assignments/port-orders.ts';
import type { NodeRoles } from '../../controller/machines/node-roles.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { NodeRolesView } from '../../protocol/documents/views.ts';
import type { ROLE_ROUTES } from '../../protocol/routes/role-routes.ts';

/** The parts of host0 that the handlers answer from. */
export interface RoleHandlersInput {
  readonly roles: NodeRoles;
  readonly assignments: Pick<Assignments, 'nodeCalled' | 'nameOf'>;
}

/** The handlers of roles. */
export function roleHandlers({ roles, assignments }: RoleHandlersInput): RouteHandlers<typeof ROLE_ROUTES> {
  const view = (machine: MachineWord): NodeRolesView => ({
    node: assignments.nameOf(machine),
    machine,
    roles: roles.of(machine),
  });
  return {
    'GET /v1/roles': () => roles.machines.map(view),
    'PUT /v1/roles/{node}/{role}': async ({ path: { node, role } }) => {
      const { machine } = nodeWithChannel(assignments, node);
      await roles.add(machine, role);
      return view(machine);
    },
    'DELETE /v1/roles/{node}/{role}': async ({ path: { node, role } }) => {
      const { machine } = nodeWithChannel(assignments, node);
      await roles.remove(machine, role);
      return view(machine);
    },
  };
}
