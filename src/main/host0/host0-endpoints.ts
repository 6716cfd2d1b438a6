/** Composes host0's endpoints inside its meshes: the membership of each, and the metrics in one. */
import { type MeshEndpointsInput, openMeshEndpoints } from '../../api/membership/mesh-endpoints.ts';
import type { Controller } from '../../controller/controller.ts';
import type { LiveMirror } from '../../kernel/mirror/live-mirror.ts';
import { boundListener } from '../../kernel/sockets/listener.ts';
import { MetricsEndpoint } from '../../metrics/metrics-endpoint.ts';
import type { Registry } from '../../metrics/registry.ts';
import { METRICS_PORTS } from '../../protocol/documents/tcp-ports.ts';

/** What host0 has before its endpoints. */
export interface Host0EndpointsInput extends MeshEndpointsInput {
  readonly registry: Registry;
  readonly mirror: LiveMirror;
  readonly controller: Controller;
  /** The name of the network that host0 serves its metrics in; without one, nothing is served. */
  readonly metricsNetwork: string | undefined;
}

/** Opens the endpoints, which follow the meshes and their devices. Their findings become those of host0. */
export async function openEndpoints(input: Host0EndpointsInput): Promise<{ close(): void }> {
  const { mirror, controller } = input;
  const { memberships } = controller;
  const endpoints = await openMeshEndpoints(input);
  const metrics = new MetricsEndpoint({
    ...input,
    network: input.metricsNetwork,
    machine: 'host0',
    port: METRICS_PORTS.host0,
    openListener: boundListener,
  });
  const followMeshes = (): void => metrics.follow(memberships.meshes.map(({ network }) => network));
  mirror.changes.subscribe(() => endpoints.linksChanged());
  mirror.changes.subscribe(followMeshes);
  memberships.changes.subscribe((meshes) => endpoints.serve(meshes));
  memberships.changes.subscribe(followMeshes);
  controller.addHealthOf(endpoints);
  controller.addHealthOf(metrics);
  return {
    close: () => {
      endpoints.close();
      metrics.close();
    },
  };
}
