/** The routes of the catalogue: each answer has its form, a dry run changes nothing, and wrong requests are refused. */
import fastify from 'fastify';
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { mesh } from '../../../test/kit/networks.ts';
import { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { type RouteOf, readRouteAnswer } from '../../protocol/shapes/answers.ts';
import { answerErrors } from '../error-reply.ts';
import { addNetworkRoutes } from './network-routes.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

async function served() {
  const clock = new ManualClock();
  const catalogue = await NetworkCatalogue.open({
    store: new MemoryStore(),
    clock,
    journal: new Journal(clock, 'host0', 'host0'),
  });
  catalogue.setFiles([mesh('manage', 456)]);
  const app = fastify();
  answerErrors(app, 'MESH_USAGE');
  addNetworkRoutes(app, catalogue);
  return async (route: RouteOf<'host0'>, url: string, body?: object) => {
    const method = route.split(' ')[0] as Method;
    const { statusCode, body: text } = await app.inject({ method, url, ...(body && { payload: body }) });
    if (statusCode >= 300) return { status: statusCode, ...JSON.parse(text) };
    const { document, fault } = readRouteAnswer('host0', route, text);
    expect(fault).toBeUndefined();
    return document;
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
  const edited = await ask('PATCH /v1/catalogue/*', '/v1/catalogue/blue', { mtuBytes: 1400 });
  expect(edited).toMatchObject({ change: 'changed', differences: ['mtuBytes 1450 → 1400'] });
  expect(await ask('PUT /v1/catalogue', '/v1/catalogue', made.network)).toMatchObject({ change: 'changed' });
  expect(await ask('POST /v1/catalogue/*/stop', '/v1/catalogue/br1000/stop')).toMatchObject({ change: 'stopped' });
  expect(await ask('POST /v1/catalogue/*/start', '/v1/catalogue/0x1000/start')).toMatchObject({ change: 'started' });
  expect(await ask('DELETE /v1/catalogue/*', '/v1/catalogue/blue?dry-run=1')).toMatchObject({ dryRun: true });
  expect(await ask('GET /v1/catalogue/*', '/v1/catalogue/blue')).toMatchObject({ network: { name: 'blue' } });
  expect(await ask('DELETE /v1/catalogue/*', '/v1/catalogue/blue?force=1')).toMatchObject({ change: 'deleted' });
});

test('wrong requests are refused with a code', async () => {
  const ask = await served();
  expect(await ask('POST /v1/catalogue', '/v1/catalogue', {})).toMatchObject({ status: 400, code: 'MESH_USAGE' });
  expect(await ask('POST /v1/catalogue', '/v1/catalogue?dry-run=yes', { name: 'blue' })).toMatchObject({ status: 400 });
  expect(await ask('POST /v1/catalogue', '/v1/catalogue', { name: 'blue', mtu: 1 })).toMatchObject({
    status: 422,
    code: 'MESH_NET_INVALID',
  });
  expect(await ask('GET /v1/catalogue/*', '/v1/catalogue/nope')).toMatchObject({
    status: 404,
    code: 'MESH_NET_UNKNOWN',
  });
  expect(await ask('DELETE /v1/catalogue/*', '/v1/catalogue/manage')).toMatchObject({
    status: 409,
    code: 'MESH_NET_SOURCE',
  });
});
