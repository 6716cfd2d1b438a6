/** Networks in YAML on the command line: what is printed is applied again, and an editor changes a network or nothing. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commandLine } from '../../../test/cli/mesh.ts';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { mesh as meshNetwork } from '../../../test/kit/networks.ts';
import { listenAt } from '../../../test/kit/route-answer.ts';
import { networkHandlers } from '../../api/control/network-handlers.ts';
import { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { CATALOGUE_ROUTES } from '../../protocol/routes/catalogue-routes.ts';
import { CONTROL_ROUTES } from '../../protocol/routes/control-routes.ts';

let root: string;
let catalogue: NetworkCatalogue;
const { EDITOR, VISUAL, TMPDIR } = process.env;
let stop: () => Promise<void>;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'mesh-cli-'));
  const clock = new ManualClock();
  catalogue = await NetworkCatalogue.open({
    store: new MemoryStore(),
    clock,
    journal: new Journal(clock, 'host0', 'host0'),
  });
  catalogue.setFiles([meshNetwork('manage', 456)]);
  const { controlSock } = pathsBelow(root);
  mkdirSync(dirname(controlSock), { recursive: true });
  const table = { ...CATALOGUE_ROUTES, 'GET /v1/networks': CONTROL_ROUTES['GET /v1/networks'] };
  stop = await listenAt(controlSock, table, {
    ...networkHandlers(catalogue),
    'GET /v1/networks': () => [],
  });
  // Texts that are kept go with the test.
  process.env.TMPDIR = root;
  delete process.env.VISUAL;
  delete process.env.EDITOR;
});

afterEach(async () => {
  await stop();
  rmSync(root, { recursive: true });
  for (const [name, value] of Object.entries({ EDITOR, VISUAL, TMPDIR })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

const mesh = (line: string) => commandLine(['--root', root, ...line.split(' ')]);

/** Changes a network with an editor that runs a script of sed over the text. */
async function edit(script: string, network = 'blue') {
  process.env.EDITOR = `sed -i -e '${script}'`;
  return mesh(`network edit ${network}`);
}

/** The texts that were kept. */
const keptFiles = () => readdirSync(root).flatMap((name) => (name.startsWith('mesh-') ? [join(root, name)] : []));

test('a network is printed as YAML, and applied from YAML', async () => {
  const planned = await mesh('network create blue --mtu 1400 --description no --plan --yaml');
  expect(planned).toMatchObject({ code: 0, stderr: '' });
  expect(planned.stdout).toContain('name: blue\nnumber: 0x1000\ndescription: "no"\n');
  expect(catalogue.networks).toHaveLength(1);
  const file = join(root, 'blue.yaml');
  writeFileSync(file, planned.stdout);
  expect((await mesh(`network apply ${file} --yaml`)).stdout).toBe(planned.stdout);
  expect((await mesh('network show blue --yaml')).stdout).toBe(planned.stdout);
  expect((await mesh(`network apply ${file}`)).stdout).toBe('blue is as wanted: nothing has changed.\n');
  expect((await mesh('network edit blue --mtu 1380 --yaml')).stdout).toContain('mtuBytes: 1380\n');
  const both = await mesh('--json network edit blue --mtu 1300 --yaml');
  expect(both).toMatchObject({ code: 2, stdout: expect.stringContaining('in JSON, in YAML or in XML') });
  expect(catalogue.find('blue').network.mtuBytes).toBe(1380);
});

test('the form of a file is known by its name, else by its first sign', async () => {
  const apply = async (name: string, text: string | Uint8Array) => {
    writeFileSync(join(root, name), text);
    return mesh(`network apply ${join(root, name)} --plan`);
  };
  expect((await apply('a.json', 'name: blue')).stderr).toContain('the document is no JSON');
  expect((await apply('a.yml', '{name: blue}')).code).toBe(0);
  expect((await apply('a', '\n{"name": "blue"}')).code).toBe(0);
  expect((await apply('b', 'name: blue')).code).toBe(0);
  expect((await apply('b', '{name: blue}')).stderr).toContain('the document is no JSON');
  expect((await apply('c.yaml', Uint8Array.of(0xff, 0xfe))).stderr).toContain('[MESH_CONF_BINARY]');
  expect((await apply('c.yaml', 'a'.repeat(5_000_000))).stderr).toContain('[MESH_CONF_TOO_LARGE]');
  expect((await mesh('network apply /dev/zero')).stderr).toContain('[MESH_CONF_TOO_LARGE]');
  expect((await mesh(`network apply ${root}`)).stderr).toContain('that is a directory [MESH_OBJECT_UNKNOWN]');
  expect((await mesh('network apply /nowhere')).stderr).toContain('/nowhere cannot be read: there is no such file');
});

test('an editor changes a network, and nothing when its text stays as it was', async () => {
  await catalogue.create({ name: 'blue', description: 'office' });
  expect((await edit('s/^name: blue/name: navy/;s/^mtuBytes.*/mtuBytes: 1400/;/^description/d')).stdout).toBe(
    'navy (number 0x1000) is changed:\n  name blue → navy\n  description office → none\n  mtuBytes 1450 → 1400\n',
  );
  const before = catalogue.find('navy');
  expect((await edit('', 'navy')).stdout).toBe('navy is as it was: the text has not been changed.\n');
  expect((await edit('d', 'navy')).code).toBe(0);
  expect(catalogue.find('navy')).toEqual(before);
  expect(keptFiles()).toEqual([]);
});

test('a text that is refused changes nothing, and is kept', async () => {
  await catalogue.create({ name: 'blue' });
  await catalogue.create({ name: 'red' });
  const before = catalogue.views();
  const refused = async (script: string) => {
    const { code, stderr, stdout } = await edit(script);
    expect({ isRefused: code > 0, stdout }).toEqual({ isRefused: true, stdout: '' });
    expect(catalogue.views()).toEqual(before);
    const file = /mesh network apply (\S+)`/.exec(stderr)?.[1] ?? '';
    const text = readFileSync(file, 'utf8');
    rmSync(dirname(file), { recursive: true });
    return { stderr, text };
  };
  const misfit = await refused('s/^mtuBytes.*/mtuBytes: 12/');
  expect(misfit.stderr).toContain('mtuBytes: 12 does not fit');
  expect(misfit.stderr).toMatch(/blue\.yaml:\d+:1: error/);
  expect(misfit.text).toContain('mtuBytes: 12\n');
  expect((await refused('s/^name: .*/name: red/')).stderr).toContain('[MESH_NET_NAME_TWICE]');
  expect((await refused('s/^number: .*/number: 0x1001/')).stderr).toContain('cannot be changed [MESH_USAGE]');
  expect((await refused('s/^name: .*/&: x/')).stderr).toContain('[MESH_CONF_SYNTAX]');
});

test('an editor that fails, and a network that is changed meanwhile, change nothing', async () => {
  await catalogue.create({ name: 'blue' });
  process.env.EDITOR = 'no-such-editor';
  expect((await mesh('network edit blue')).stderr).toContain('there is no editor no-such-editor [MESH_USAGE]');
  process.env.EDITOR = 'kill -INT $$ #';
  expect((await mesh('network edit blue')).stderr).toContain('the editor was ended by SIGINT');
  expect(keptFiles()).toEqual([]);
  const sock = pathsBelow(root).controlSock;
  const body = `-H 'content-type: application/json' -d '{"mtuBytes":1300}'`;
  process.env.EDITOR = `sed -i 's/^mtuBytes.*/mtuBytes: 1400/' "$1"; curl -sf --unix-socket ${sock} -X PATCH ${body} -o /dev/null http://h/v1/catalogue/blue #`;
  expect((await mesh('network edit blue')).stderr).toContain(
    'was changed while you edited the text [MESH_STORE_CONFLICT]',
  );
  expect(catalogue.find('blue').network.mtuBytes).toBe(1300);
  process.env.EDITOR = 'touch /tmp/mesh-editor-was-opened #';
  expect((await mesh('network edit manage')).stderr).toContain('[MESH_NET_SOURCE]');
  expect((await mesh('network edit green')).stderr).toContain('[MESH_NET_UNKNOWN]');
  expect(existsSync('/tmp/mesh-editor-was-opened')).toBe(false);
  delete process.env.EDITOR;
  expect((await mesh('network edit blue')).stderr).toContain('nothing is to be changed');
});
