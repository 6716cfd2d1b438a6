/** Networks in XML on the command line: the page about them is typed, and files of either form are read. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { missingLine, shownCommands } from '../../../test/cli/console-block.ts';
import { commandLine } from '../../../test/cli/mesh.ts';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { listenAt } from '../../../test/kit/route-answer.ts';
import { networkHandlers } from '../../api/control/network-handlers.ts';
import { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { CATALOGUE_ROUTES } from '../../protocol/routes/catalogue-routes.ts';
import { CONTROL_ROUTES } from '../../protocol/routes/control-routes.ts';

const PAGE = readFileSync(new URL('../../../docs/libvirt-xml.md', import.meta.url), 'utf8');

let root: string;
let stop: () => Promise<void>;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'mesh-xml-'));
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const catalogue = await NetworkCatalogue.open({ store: new MemoryStore(), clock, journal });
  const { controlSock } = pathsBelow(root);
  mkdirSync(dirname(controlSock), { recursive: true });
  const table = { ...CATALOGUE_ROUTES, 'GET /v1/networks': CONTROL_ROUTES['GET /v1/networks'] };
  stop = await listenAt(controlSock, table, { ...networkHandlers(catalogue), 'GET /v1/networks': () => [] });
});

afterEach(async () => {
  await stop();
  rmSync(root, { recursive: true });
});

/** Types a line in the directory of the files, with `>` for a file. */
async function type(line: string): Promise<string> {
  const [command = '', target] = line.replace(/^mesh /, '').split(' > ');
  const words = command.split(' ').map((word) => (word.endsWith('.xml') ? join(root, word) : word));
  const { stdout, stderr, code } = await commandLine(['--root', root, ...words]);
  expect({ line, stderr, code }).toEqual({ line, stderr: '', code: 0 });
  if (target !== undefined) writeFileSync(join(root, target), stdout);
  return stdout.replaceAll(`${root}/`, '');
}

test('the page is typed: its files, its commands, and what they print', async () => {
  const files = [...PAGE.matchAll(/`(\w+\.xml)`[^`]*?:\n\n```xml\n(.*?)```/gs)];
  expect(files.map(([, name]) => name)).toEqual(['lab.xml', 'wide.xml', 'foo.xml']);
  for (const [, name = '', text = ''] of files) writeFileSync(join(root, name), text);
  const commands = shownCommands(PAGE);
  expect(commands.length).toBeGreaterThan(6);
  for (const { text, answer } of commands) expect(missingLine(await type(text), answer), text).toBeUndefined();
  expect(readFileSync(join(root, 'again.xml'), 'utf8')).toContain("<ip address='10.77.0.1' netmask='255.255.255.0'/>");
  expect(await type('mesh network show wide --xml')).toContain('<!-- the three machines in the cellar -->');
});

test('the page shows an error as it is', async () => {
  const [, shown = ''] = /```text\n(blue\.xml:.*?)```/s.exec(PAGE) ?? [];
  const text = "<network>\n  <name>blue</name>\n  <ip address='10.1.2.1' prefix='33'/>\n</network>\n";
  writeFileSync(join(root, 'blue.xml'), text);
  const { stderr, stdout, code } = await commandLine(['--root', root, 'network', 'check', join(root, 'blue.xml')]);
  expect(code).toBe(1);
  expect(missingLine((stderr + stdout).replaceAll(`${root}/`, ''), shown.split('\n'))).toBeUndefined();
});

test('warnings tell what libvirt takes in silence, and parts are in the file alone', async () => {
  const file = join(root, 'odd.xml');
  writeFileSync(file, "<network><name>odd</name><domain localOnly='yes'/></network>");
  const checked = await commandLine(['network', 'check', file]);
  expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining('a domain without a name has no effect') });
  const twice = await commandLine(['--root', root, 'network', 'create', file, '--mtu', '1400']);
  expect(twice.stderr).toContain('the option for mtuBytes stands beside a file');
  const both = await commandLine(['--root', root, '--json', 'network', 'show', 'odd', '--xml']);
  expect(both.code).not.toBe(0);
});

test('a mesh of a file is shown in XML, and files of both kinds are checked together', async () => {
  const conf = join(root, 'manage.conf');
  const { stdout } = await commandLine(['network', 'conf', 'manage']);
  writeFileSync(conf, stdout);
  const xml = join(root, 'lab.xml');
  writeFileSync(xml, '<network><name>lab</name></network>');
  const checked = await commandLine(['network', 'check', conf, xml]);
  expect(checked.code).toBe(0);
  expect(checked.stdout).toMatch(/manage\.conf +ok +manage +\d+ +fd/);
  expect(checked.stdout).toMatch(/lab\.xml +ok +lab +– +–/);
});
