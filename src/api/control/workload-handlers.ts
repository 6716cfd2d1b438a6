/** What host0 answers of workloads. */
import type { WorkloadOrders } from '../../controller/workloads/workload-orders.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { WORKLOAD_ROUTES } from '../../protocol/routes/workload/workload-routes.ts';

/** The handlers of workloads. */
export function workloadHandlers(workloads: WorkloadOrders): RouteHandlers<typeof WORKLOAD_ROUTES> {
  return {
    'GET /v1/workloads': () => workloads.list(),
    'GET /v1/workloads/{name}': ({ path: { name } }) => workloads.show(name),
    'GET /v1/workloads/{name}/follow': ({ path }, open) => {
      const { name } = workloads.show(path.name);
      const stream = open();
      let sent = '';
      const tell = () => {
        const view = workloads.list().find((workload) => workload.name === name);
        const data = JSON.stringify(view);
        // It was deleted, and nothing follows.
        if (view === undefined) return stream.end();
        if (data === sent) return;
        sent = data;
        stream.send({ event: 'workload', data });
      };
      tell();
      stream.onClose(workloads.subscribe(tell));
    },
    'PUT /v1/workloads': ({ body, query }) => workloads.put(body, optionsOf(query)),
    'POST /v1/workloads/{name}/start': ({ path: { name }, body, query }) =>
      workloads.start(name, { ...body, ...optionsOf(query) }),
    'POST /v1/workloads/{name}/restart': ({ path: { name }, body, query }) =>
      workloads.restart(name, { ...body, ...optionsOf(query) }),
    'POST /v1/workloads/{name}/stop': ({ path: { name }, query }) => workloads.stop(name, optionsOf(query)),
    'POST /v1/workloads/{name}/pause': ({ path: { name }, query }) => workloads.pause(name, optionsOf(query)),
    'POST /v1/workloads/{name}/resume': ({ path: { name }, query }) => workloads.resume(name, optionsOf(query)),
    'POST /v1/workloads/{name}/move': ({ path: { name }, body, query }) =>
      workloads.move(name, { ...body, ...optionsOf(query) }),
    'DELETE /v1/workloads/{name}': ({ path: { name }, query }) =>
      workloads.remove(name, { ...optionsOf(query), force: query.force }),
  };
}

function optionsOf(query: { readonly 'dry-run': boolean }): { readonly dryRun: boolean } {
  return { dryRun: query['dry-run'] };
}
