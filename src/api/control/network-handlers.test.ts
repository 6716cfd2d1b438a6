/** The routes of the catalogue: each answer has its form, a dry run changes nothing, and wrong requests are refused. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { mesh } from '../../../test/kit/networks.ts';
import { routeAnswer } from '../../../test/kit/route-answer.ts';
import { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import { routeServer } from '../../protocol/calls/route-server.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { CATALOGUE_ROUTES } from '../../protocol/routes/catalogue-routes.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import type { Shape } from '../../protocol/shapes/form.ts';
import { networkHandlers } from './network-handlers.ts';

async function served() {
  const clock = new ManualClock();
  const catalogue = await NetworkCatalogue.open({
    store: new MemoryStore(),
    clock,
    journal: new Journal(clock, 'host0', 'host0'),
  });
  catalogue.setFiles([mesh('manage', 456)]);
  const server = routeServer(CATALOGUE_ROUTES, networkHandlers(catalogue), {
    onFault: (thrown) => {
      throw thrown;
    },
  });
  return async (route: keyof typeof CATALOGUE_ROUTES, url: string, body?: object) => {
    const method = route.split(' ')[0];
    const { status, text } = await routeAnswer(server, `${method} ${url}`, { body, from: undefined });
    if (status >= 300) return { status, ...JSON.parse(text) };
    const form: Shape<unknown> = CATALOGUE_ROUTES[route].answer.form;
    const { document, fault } = readDocument(form, text);
    expect(fault).toBeUndefined();
    return Object(document);
  };
}

test('a network is made, listed, changed, stopped and deleted', async () => {
  const ask = await served();
  const made = await ask('POST /v1/catalogue', '/v1/catalogue', { name: 'blue' });
  expect(made).toMatchObject({ change: 'created', network: { name: 'blue', id: 'net-1000' } });
  expect(await ask('GET /v1/catalogue', '/v1/catalogue')).toMatchObject([
    { network: { name: 'manage' }, activity: { phase: 'active' } },
    { network: { name: 'blue' }, activity: { phase: 'active', id: 1 } },
  ]);
  const edited = await ask('PATCH /v1/catalogue/{name}', '/v1/catalogue/blue', { mtuBytes: 1400 });
  expect(edited).toMatchObject({ change: 'changed', differences: ['mtuBytes 1450 → 1400'] });
  expect(await ask('PUT /v1/catalogue', '/v1/catalogue', made.network)).toMatchObject({ change: 'changed' });
  expect(await ask('POST /v1/catalogue/{name}/stop', '/v1/catalogue/br1000/stop')).toMatchObject({ change: 'stopped' });
  expect(await ask('POST /v1/catalogue/{name}/start', '/v1/catalogue/0x1000/start')).toMatchObject({
    change: 'started',
  });
  expect(await ask('DELETE /v1/catalogue/{name}', '/v1/catalogue/blue?dry-run=1')).toMatchObject({ dryRun: true });
  expect(await ask('GET /v1/catalogue/{name}', '/v1/catalogue/blue')).toMatchObject({ network: { name: 'blue' } });
  expect(await ask('DELETE /v1/catalogue/{name}', '/v1/catalogue/blue?force=1')).toMatchObject({ change: 'deleted' });
});

test('wrong requests are refused with a code', async () => {
  const ask = await served();
  expect(await ask('POST /v1/catalogue', '/v1/catalogue', {})).toMatchObject({ status: 400, code: 'MESH_USAGE' });
  expect(await ask('POST /v1/catalogue', '/v1/catalogue?dry-run=yes', { name: 'blue' })).toMatchObject({ status: 400 });
  expect(await ask('POST /v1/catalogue', '/v1/catalogue', { name: 'blue', mtu: 1 })).toMatchObject({
    status: 422,
    code: 'MESH_NET_INVALID',
  });
  expect(await ask('GET /v1/catalogue/{name}', '/v1/catalogue/nope')).toMatchObject({
    status: 404,
    code: 'MESH_NET_UNKNOWN',
  });
  expect(await ask('DELETE /v1/catalogue/{name}', '/v1/catalogue/manage')).toMatchObject({
    status: 409,
    code: 'MESH_NET_SOURCE',
  });
});
