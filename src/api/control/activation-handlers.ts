/** What host0 answers of definitions and activation of networks. */
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import type { Clock } from '../../model/clock.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { LifecycleNews } from '../../protocol/documents/catalogue.ts';
import type { ACTIVATION_ROUTES } from '../../protocol/routes/network/activation-routes.ts';

/** The handlers of definitions, activation and their events. */
export function activationHandlers(
  catalogue: NetworkCatalogue,
  clock: Pick<Clock, 'nowMs'>,
): RouteHandlers<typeof ACTIVATION_ROUTES> {
  return {
    'PUT /v1/definitions': ({ body, query: { source, ...query } }) =>
      catalogue.define(body, { source, ...optionsOf(query) }),
    'DELETE /v1/definitions/{name}': ({ path: { name }, query }) => catalogue.undefine(name, optionsOf(query)),
    'POST /v1/transient-networks': ({ body, query: { source, ...query } }) =>
      catalogue.createTransient(body, { source, ...optionsOf(query) }),
    'POST /v1/catalogue/{name}/autostart': ({ path: { name }, query: { on, ...query } }) =>
      catalogue.setAutostart(name, on, optionsOf(query)),
    'PATCH /v1/catalogue/{name}/forms': ({ path: { name }, query: { live, config, ...query }, body }) =>
      catalogue.editForms(name, body, { live, config, ...optionsOf(query) }),
    'GET /v1/lifecycle': (_, open) => {
      const stream = open();
      stream.onClose(
        catalogue.lifecycle.subscribe(({ kind, network }) => {
          const { id, name } = network;
          const time = new Date(clock.nowMs()).toISOString();
          const news: LifecycleNews = { time, kind, network: id, name, uuid: catalogue.uuidOf(network) };
          stream.send({ event: 'lifecycle', data: JSON.stringify(news) });
        }),
      );
    },
  };
}

function optionsOf(query: { readonly 'dry-run': boolean }): { readonly dryRun: boolean } {
  return { dryRun: query['dry-run'] };
}
