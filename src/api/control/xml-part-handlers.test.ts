/** Elements of networks in libvirt's XML, over host0's control socket: changes at the same time lose nothing. */
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { routeAnswer } from '../../../test/kit/route-answer.ts';
import { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import { routeServer } from '../../protocol/calls/route-server.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { XML_PART_ROUTES } from '../../protocol/routes/network/xml-part-routes.ts';
import { xmlPartHandlers } from './xml-part-handlers.ts';

const METADATA = '/v1/catalogue/blue/metadata';
const URI = 'urn:app:1';

async function opened() {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const catalogue = await NetworkCatalogue.open({ store, clock, journal: new Journal(clock, 'host0', 'host0') });
  onTestFinished(() => catalogue.close());
  const subnets = [{ cidr: '10.0.0.0/24', hostAddress: '10.0.0.1', dhcp: { ranges: [], hosts: [], options: [] } }];
  await catalogue.define({ name: 'blue', subnets });
  const onFault = (thrown: unknown): never => {
    throw thrown;
  };
  const server = routeServer(XML_PART_ROUTES, xmlPartHandlers(catalogue), { onFault });
  const ask = async (route: string, body?: unknown) => {
    const { status, text } = await routeAnswer(server, route, { body, from: undefined });
    return { status, document: JSON.parse(text) };
  };
  return { catalogue, ask };
}

test('ten clients add a DHCP host at the same time, and all are there', async () => {
  const { catalogue, ask } = await opened();
  const add = (number: number) => {
    const xml = `<host mac='52:54:00:00:00:0${number}' ip='10.0.0.1${number}'/>`;
    return ask('POST /v1/catalogue/blue/elements?config=1', { command: 3, section: 4, xml });
  };
  const answers = await Promise.all(Array.from({ length: 10 }, (_, number) => add(number)));
  for (const { document } of answers) expect(document).toMatchObject({ change: 'changed' });
  const hosts = catalogue.find('blue').network.subnets[0]?.dhcp?.hosts ?? [];
  const wanted = Array.from({ length: 10 }, (_, number) => `10.0.0.1${number}`);
  expect(hosts.map(({ address }) => address).toSorted()).toEqual(wanted);
  expect(await add(1)).toMatchObject({ status: 422, document: { code: 'MESH_NET_INVALID' } });
  const bad = { command: 3, section: 4, xml: '<host' };
  expect((await ask('POST /v1/catalogue/blue/elements', bad)).document).toMatchObject({
    code: 'MESH_CONF_SYNTAX',
    place: { line: 1 },
  });
  expect((await ask('POST /v1/catalogue/blue/elements?live=1', bad)).document.code).toBe('MESH_NET_INACTIVE');
});

test('an element of the metadata is set, read and removed', async () => {
  const { ask } = await opened();
  const get = async () => (await ask(`GET ${METADATA}?uri=${URI}`)).document;
  const xml = '<app><owner>ann</owner></app>';
  expect(await get()).toMatchObject({ code: 'MESH_NET_INVALID' });
  await ask(`PUT ${METADATA}`, { uri: URI, key: 'app', xml });
  expect(await get()).toEqual({ xml: '<app>\n  <owner>ann</owner>\n</app>' });
  await ask(`PUT ${METADATA}`, { uri: URI });
  expect(await get()).toMatchObject({ code: 'MESH_NET_INVALID' });
});
