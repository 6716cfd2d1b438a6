/** The words of virsh, over the routes of a catalogue: arguments by place or by name, an editor, and elements of the metadata. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commandLine } from '../../../test/cli/mesh.ts';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { listenAt } from '../../../test/kit/route-answer.ts';
import { activationHandlers } from '../../api/control/activation-handlers.ts';
import { networkHandlers } from '../../api/control/network-handlers.ts';
import { xmlPartHandlers } from '../../api/control/xml-part-handlers.ts';
import { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { CATALOGUE_ROUTES } from '../../protocol/routes/catalogue-routes.ts';
import { ACTIVATION_ROUTES } from '../../protocol/routes/network/activation-routes.ts';
import { XML_PART_ROUTES } from '../../protocol/routes/network/xml-part-routes.ts';

let root: string;
let catalogue: NetworkCatalogue;
let stop: () => Promise<void>;
const { EDITOR, VISUAL, TMPDIR } = process.env;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'mesh-words-'));
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  catalogue = await NetworkCatalogue.open({ store: new MemoryStore(), clock, journal });
  const { controlSock } = pathsBelow(root);
  mkdirSync(dirname(controlSock), { recursive: true });
  const table = { ...CATALOGUE_ROUTES, ...ACTIVATION_ROUTES, ...XML_PART_ROUTES };
  stop = await listenAt(controlSock, table, {
    ...networkHandlers(catalogue),
    ...activationHandlers(catalogue, clock),
    ...xmlPartHandlers(catalogue),
  });
  writeFileSync(
    join(root, 'lan.xml'),
    "<network><name>lan</name><forward mode='nat'/><ip address='10.7.0.1' netmask='255.255.255.0'/></network>",
  );
  // Texts that are kept go with the test.
  process.env.TMPDIR = root;
  delete process.env.VISUAL;
  delete process.env.EDITOR;
});

afterEach(async () => {
  await stop();
  await catalogue.close();
  rmSync(root, { recursive: true });
  for (const [name, value] of Object.entries({ EDITOR, VISUAL, TMPDIR })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

const mesh = (...words: readonly string[]) => commandLine(['--root', root, ...words]);

test('an argument stands in its place, or is named by its option', async () => {
  expect((await mesh('net-define', '--file', join(root, 'lan.xml'))).stdout).toContain('Network lan defined from');
  expect((await mesh('net-start', '--network', 'lan')).stdout).toContain('Network lan started');
  expect((await mesh('net-uuid', 'lan')).stdout.trim()).toBe(catalogue.find('lan').network.uuid);
  const host = "<host mac='52:54:00:00:00:0a' ip='10.7.0.20'/>";
  // A named argument leaves its place to the next one.
  const words = ['--network', 'lan', 'add', '--section', 'ip-dhcp-host', host, '--live', '--config'];
  expect(await mesh('net-update', ...words)).toMatchObject({ code: 0 });
  expect(catalogue.find('lan').network.subnets[0]?.dhcp?.hosts).toMatchObject([{ address: '10.7.0.20' }]);
  expect((await mesh('net-start')).stderr).toContain("missing required argument 'network' [MESH_USAGE]");
  expect((await mesh('net-start', '--network', 'lan', 'blue')).stderr).toContain('too many arguments');
  expect((await mesh('net-start', 'lan', 'blue')).stderr).toContain('too many arguments');
  expect((await mesh('net-destroy', '--network=lan')).stdout).toContain('Network lan destroyed');
});

test('an editor changes the definition, and a name is not changed', async () => {
  await mesh('net-define', join(root, 'lan.xml'));
  const { uuid, bridge } = catalogue.find('lan').network;
  process.env.EDITOR = "sed -i -e 's/10\\.7\\.0\\.1/10.7.0.9/'";
  expect((await mesh('net-edit', 'lan')).stdout).toContain('Network lan XML configuration edited.');
  expect(catalogue.find('lan').network).toMatchObject({ uuid, bridge, subnets: [{ hostAddress: '10.7.0.9' }] });
  process.env.EDITOR = 'true';
  expect((await mesh('net-edit', 'lan')).stdout).toContain('Network lan XML configuration not changed.');
  process.env.EDITOR = "sed -i -e 's/<name>lan/<name>wan/'";
  expect((await mesh('net-edit', 'lan')).stderr).toContain('the name of network lan cannot be changed');
  expect(catalogue.views().map(({ network }) => network.name)).toEqual(['lan']);
});

test('an element of the metadata is set, shown and removed', async () => {
  await mesh('net-define', join(root, 'lan.xml'));
  const set = ['--key', 'app', '--set', '<rack>7</rack>', '--config'];
  expect((await mesh('net-metadata', 'lan', 'urn:app', ...set)).stdout).toContain('Metadata modified');
  expect((await mesh('net-metadata', 'lan', 'urn:app', '--config')).stdout).toContain('<rack>7</rack>');
  expect((await mesh('net-metadata', 'lan', 'urn:app', '--set', '<a/>')).stderr).toContain('needs the prefix');
  expect((await mesh('net-metadata', 'lan', 'urn:app', '--remove', '--config')).stdout).toContain('Metadata removed');
  expect(await mesh('net-metadata', 'lan', 'urn:app', '--config')).toMatchObject({ code: 1 });
});
