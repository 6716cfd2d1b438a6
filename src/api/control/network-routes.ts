/** The routes of the catalogue of networks. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';

const Name = z.object({ name: z.string().min(1).max(100) });
const Switch = z.enum(['0', '1']).default('0');
const Query = z.object({ 'dry-run': Switch });
const DeleteQuery = z.object({ 'dry-run': Switch, force: Switch });
/** The document itself is judged by the catalogue, which says which part of it does not fit. */
const Order = z.record(z.string(), z.unknown());

/** Adds `/v1/catalogue`, and the changes of networks below it. */
export function addNetworkRoutes(app: FastifyInstance, catalogue: NetworkCatalogue): void {
  app.get('/v1/catalogue', () => catalogue.views());
  app.get('/v1/catalogue/:name', ({ params }) => catalogue.find(Name.parse(params).name));
  app.post('/v1/catalogue', ({ body, query }) => catalogue.create(Order.parse(body), optionsOf(query)));
  app.put('/v1/catalogue', ({ body, query }) => catalogue.apply(Order.parse(body), optionsOf(query)));
  app.patch('/v1/catalogue/:name', ({ params, body, query }) =>
    catalogue.edit(Name.parse(params).name, Order.parse(body), optionsOf(query)),
  );
  app.post('/v1/catalogue/:name/start', ({ params, query }) =>
    catalogue.start(Name.parse(params).name, optionsOf(query)),
  );
  app.post('/v1/catalogue/:name/stop', ({ params, query }) =>
    catalogue.stop(Name.parse(params).name, optionsOf(query)),
  );
  app.delete('/v1/catalogue/:name', ({ params, query }) => {
    const { force } = DeleteQuery.parse(query);
    return catalogue.remove(Name.parse(params).name, { ...optionsOf(query), force: force === '1' });
  });
}

function optionsOf(query: unknown): { readonly dryRun: boolean } {
  return { dryRun: Query.parse(query)['dry-run'] === '1' };
}
