/** host0's metrics: members, their changes, nodes, and the time of store transactions. */

import { addHealthMetrics, addNetworkMetrics } from '../metrics/condition-metrics.ts';
import type { Registry } from '../metrics/registry.ts';
import type { TxnOutcome } from '../store/timed-store.ts';
import type { Controller } from './controller.ts';
import type { MembershipWatch } from './membership/membership-watch.ts';

/** What parts of host0 call to be counted. */
export interface Host0Watch extends MembershipWatch {
  committed(outcome: TxnOutcome, durationMs: number): void;
}

/** Registers the counters of host0, and returns the functions that count. */
export function countHost0(registry: Registry): Host0Watch {
  const changes = registry.counter({
    name: 'meshwork_member_changes_total',
    help: 'Members that joined, left (or were dropped for their silence) or changed their address or name.',
    labels: ['network', 'change'],
  });
  const boots = registry.counter({
    name: 'meshwork_member_boots_total',
    help: 'Members that came back with another boot of their machine.',
    labels: ['network'],
  });
  const commits = registry.histogram({
    name: 'meshwork_store_transaction_duration_seconds',
    help: 'From a transaction to its being on the disk (done), refused by a comparison (conflict), or not taken (failed).',
    labels: ['outcome'],
  });
  return {
    changed: ({ name }, type) => changes.add({ network: name, change: type }),
    booted: ({ name }) => boots.add({ network: name }),
    committed: (outcome, durationMs) => commits.observe({ outcome }, durationMs / 1000),
  };
}

/** Registers gauges that read the controller when the metrics are asked for. */
export function addControllerMetrics(registry: Registry, controller: Controller): void {
  const meshes = () => controller.memberships.meshes.filter(({ loaded }) => loaded);
  addNetworkMetrics(registry, () => controller.loadedNetworks());
  addHealthMetrics(registry, () => controller.health());
  registry.gauge(
    {
      name: 'meshwork_member_refusals',
      help: 'Machines that are kept out at the moment, by the reason; MESH_MEMBER_DOUBLE is a second machine with one identity.',
      labels: ['network', 'code'],
    },
    () =>
      meshes().flatMap((mesh) => {
        const codes = Map.groupBy(mesh.refusals(), ({ code }) => code);
        return Array.from(codes, ([code, errors]) => ({
          labels: { network: mesh.network.name, code },
          value: errors.length,
        }));
      }),
  );
  registry.gauge(
    {
      name: 'meshwork_membership_streams',
      help: 'Members that follow the stream of joins and leaves now; others poll.',
      labels: ['network'],
    },
    () => meshes().map((mesh) => ({ labels: { network: mesh.network.name }, value: mesh.listeners })),
  );
  registry.gauge(
    { name: 'meshwork_nodes', help: 'Nodes that host0 knows, itself among them.', labels: ['state'] },
    () => {
      const nodes = controller.nodes();
      const online = nodes.filter((node) => node.online).length;
      return [
        { labels: { state: 'online' }, value: online },
        { labels: { state: 'offline' }, value: nodes.length - online },
      ];
    },
  );
}
