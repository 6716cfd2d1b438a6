/** Runs the commands of the documentation in a lab: each works, and prints what the page shows. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { LABS_DIRECTORY } from '../../../src/lab/cluster/record.ts';
import { missingLine, type ShownCommand, shownCommands } from '../../cli/console-block.ts';
import { pageOf, Typist } from '../typist.ts';

const NAME = `pages-${process.pid}`;

const TUTORIAL = shownCommands(pageOf('docs/tutorial.md'));
const [SETUP, PATH_TO_MESH, LAB_UP, ...REST] = TUTORIAL;
const LAB_DOWN = REST.pop();

let typist: Typist;
let up: string;

beforeAll(async () => {
  typist = new Typist(NAME);
  up = await typed('docs/tutorial.md', LAB_UP);
});

afterAll(async () => {
  if (existsSync(join(LABS_DIRECTORY, NAME))) await Lab.open(NAME).down();
  typist.close();
});

function typed(page: string, command: ShownCommand | undefined, host?: string): Promise<string> {
  return typist.type(page, command, host);
}

test('the tutorial, from its lab to the last network', async () => {
  // Both were done before any test ran.
  expect([SETUP?.text, PATH_TO_MESH?.text]).toEqual(['scripts/setup', 'PATH=$PWD/bin:$PATH']);
  expect(LAB_UP?.text).toBe('mesh lab up --nodes 3 --keep');
  for (const command of REST) await typed('docs/tutorial.md', command);
});

test('the README shows the output of such a lab', () => {
  // `npm run lab` takes its lab down at the end, and is the same otherwise.
  expect(manifest.scripts.lab).toMatch(/ && bin\/mesh lab up$/);
  const [, shown = ''] = /\$ npm run lab\n.*?```text\n(.*?)```/s.exec(pageOf('README.md')) ?? [];
  expect(shown).toContain('12 of 12 pairs answer');
  expect(missingLine(up, shown.split('\n'))).toBeUndefined();
});

/** Pages whose output is from a cluster with more machines: it is not compared. */
const ELSEWHERE = ['docs/nodes.md'];

test.each([
  ['mesh trace manage node1 node2', 'docs/trace.md', 'host0'],
  ['mesh doctor', 'docs/doctor.md', 'node1'],
  ['mesh metrics', 'docs/observability.md', 'node1'],
  ['curl', 'docs/observability.md', 'node3'],
  ['mesh node list', 'docs/nodes.md', 'host0'],
  ['mesh node info', 'docs/nodes.md', 'host0'],
  ['mesh network', 'docs/networks.md', 'host0'],
  ['mesh port', 'docs/assignments.md', 'host0'],
  ['mesh node role', 'docs/assignments.md', 'host0'],
  ['mesh', 'docs/addresses.md', 'host0'],
  ['', 'docs/api.md', 'host0'],
  ['mesh node orphans', 'docs/assignments.md', 'host0'],
])('%s … prints what %s shows, on %s', async (begin, page, host) => {
  const shown = shownCommands(pageOf(page)).filter(({ text }) => text.startsWith(begin));
  expect(shown).not.toEqual([]);
  for (const { line, text, answer } of shown) {
    const there = text.replaceAll('/run/meshwork', '$MESH_ROOT/run/meshwork');
    await typed(page, { line, text: there, answer: ELSEWHERE.includes(page) ? [] : answer }, host);
  }
});

// Its demo is typed in 27-orders, which looks at what the demo leaves.
test('the commands of docs/orders.md, from a pool to the example hook', async () => {
  const page = 'docs/orders.md';
  const examples = new URL('../../../docs/examples/', import.meta.url).pathname;
  // Other pages have made orders in this lab: the first order of the page has a later number here.
  let first = '1';
  for (const command of shownCommands(pageOf(page)).filter(({ text }) => !text.startsWith('mesh demo '))) {
    const there = command.text
      // In quotes, since the typist has a directory of its own for what begins with /tmp/: the checkout may be there.
      .replace(/\/usr\/share\/doc\/meshwork\/docs\/examples\/(\S+)/, `'${examples}$1'`)
      .replaceAll(/(?<= )\/host0\//g, '$MESH_ROOT/host0/')
      .replace(/^mesh order cancel 1$/, `mesh order cancel ${first}`);
    const printed = await typed(page, { ...command, text: there }, 'host0');
    first = /^order +(\d+): ipv6-network lan$/m.exec(printed)?.[1] ?? first;
  }
});

test('the commands of docs/host0.md work, from an empty tree on', async () => {
  const page = 'docs/host0.md';
  for (const command of shownCommands(pageOf(page))) {
    const text = command.text.replaceAll(/(?<= )\/host0\//g, '$MESH_ROOT/host0/');
    await typed(page, { ...command, text: `export MESH_ROOT=${typist.place}/box; ${text}` });
  }
});

test('the last command of the tutorial takes the lab down', async () => {
  expect(LAB_DOWN?.text).toBe('mesh lab down');
  await typed('docs/tutorial.md', LAB_DOWN);
  expect(existsSync(join(LABS_DIRECTORY, NAME))).toBe(false);
});
