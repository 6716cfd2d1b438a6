/** The functions of `meshwork/libvirt`: each example of docs/libvirt-api.md is run. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryVirtualNetworks } from '../../../test/kit/memory-virtual-networks.ts';
import { systemClock } from '../../model/clock.ts';
import { driverFor } from '../driver/driver.ts';
import { RpcServer } from '../rpc/rpc-server.ts';
import { type Connection, connect } from './libvirt.ts';

const PORT_XML = '<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid></networkport>';
const XML = '<network><name>blue</name></network>';

let directory: string;
let connection: Connection;
let networks: MemoryVirtualNetworks;
let end: () => void;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'libvirt-api-'));
  networks = new MemoryVirtualNetworks();
  const server = new RpcServer({
    clock: systemClock,
    journal: { record: () => undefined },
    answerer: (peer, isReadOnly) =>
      driverFor({ ...{ networks, peer, isReadOnly, maxCallbacks: 10 }, onFault: () => undefined }),
  });
  const listener = server.listener({ isReadOnly: false });
  const socket = join(directory, 's');
  await new Promise<void>((done) => listener.listen(socket, done));
  end = () => {
    server.close();
    listener.close();
  };
  connection = await connect({ socket });
});

afterEach(async () => {
  end();
  await rm(directory, { recursive: true });
});

/** Runs an example with what it names. */
type Example = (...values: readonly unknown[]) => Promise<unknown>;
const AsyncFunction: new (...words: string[]) => Example = Object.getPrototypeOf(async () => undefined).constructor;

const PAGE = await readFile(new URL('../../../docs/libvirt-api.md', import.meta.url), 'utf8');
const EXAMPLES = [...PAGE.matchAll(/^\| vir\w+ \| `([\w.]+)` \| `(.+)` \|$/gm)].map(([, name = '', code = '']) => [
  name,
  code,
]);

test('the page has all functions of the first draft, and those of today', () => {
  expect(EXAMPLES).toHaveLength(39);
});

test.each(EXAMPLES)('%s', async (name, code) => {
  const network = await connection.networkDefineXml(XML);
  if (name !== 'create') await network.create();
  if (name === 'getMetadata') await network.setMetadata('Blue', { type: 1 });
  const isPort = name !== 'portCreateXml' && code.includes('port.');
  const port = isPort ? await network.portCreateXml(PORT_XML) : undefined;
  const names = ['connection', 'network', 'console', 'portXml', ...(isPort ? ['port'] : [])];
  const values = [connection, network, { log: () => undefined }, PORT_XML, ...(isPort ? [port] : [])];
  networks.giveId(network.getUuidString(), 1);
  await new AsyncFunction(...names, code)(...values);
});

test('an event of one network is told to its listener, and to no other', async () => {
  const red = await connection.networkDefineXml('<network><name>red</name></network>');
  const blue = await connection.networkDefineXml(XML);
  const told: string[] = [];
  const stop = await connection.onLifecycle(
    ({ kind, network }) => void told.push(`${network.getName()} ${kind}`),
    blue,
  );
  await red.create();
  await blue.create();
  await blue.destroy();
  await stop();
  await blue.create();
  expect(told).toEqual(['blue started', 'blue stopped']);
});

test('an id leads to its network', async () => {
  const blue = await connection.networkDefineXml(XML);
  await blue.create();
  networks.giveId(blue.getUuidString(), 7);
  expect(await connection.listNetworks()).toEqual([7]);
  expect((await connection.networkLookupById(7)).getName()).toBe('blue');
  await expect(connection.networkLookupById(8)).rejects.toMatchObject({ code: 43, domain: 19 });
});

test('an answer that is longer than the first piece of memory arrives whole, whatever its length', async () => {
  for (let length = 0; length < 300; length++) {
    await connection.networkDefineXml(`<network><name>${'x'.repeat(length + 1)}</name></network>`);
    await expect(connection.networkLookupByName(`no${'x'.repeat(length)}`)).rejects.toMatchObject({ code: 43 });
  }
  expect(await connection.numOfDefinedNetworks()).toBe(300);
});

test('calls fail when the server goes', async () => {
  const calls = [connection.numOfNetworks(), connection.numOfNetworks()];
  end();
  for (const call of calls) await call.catch(() => undefined);
  await expect(connection.numOfNetworks()).rejects.toThrow('the connection is gone');
});
