/** Static routes whose destination has a route of another program already. */
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import { MeshError } from '../../model/error.ts';

/**
 * Replaces the refusals that mean that another route is in the way.
 * @param errors the outcome of `operations`
 */
export function namingTakenRoutes(
  operations: readonly KernelOperation[],
  errors: readonly (MeshError | undefined)[],
): readonly (MeshError | undefined)[] {
  return errors.map((error, number) => {
    const operation = operations[number];
    if (error === undefined || operation?.do !== 'route-replace' || operation.onlyNew !== true || !isThere(error))
      return error;
    const { destination, metric } = operation;
    const words = metric === undefined ? '' : ` with the metric ${metric}`;
    return new MeshError('MESH_KERNEL_ROUTE_TAKEN', `this machine has a route to ${destination}${words} already`, {
      object: destination,
      rule: 'Meshwork replaces no route that it has not made.',
      remedy: `Remove that route (\`ip route show ${destination}\`), or give the route of the network another metric or none; the network works without it.`,
      retryable: true,
      cause: error.cause,
    });
  });
}

function isThere({ cause }: MeshError): boolean {
  return typeof cause === 'object' && cause !== null && 'name' in cause && cause.name === 'EEXIST';
}
