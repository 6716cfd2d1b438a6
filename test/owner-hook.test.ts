/** The example hook that comes with Meshwork: what it orders when an owner is made, and nothing else. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Hooks } from '../src/services/hook/hooks.ts';

const EXAMPLE = new URL('../docs/examples/owner-network-hook', import.meta.url).pathname;

let directory: string;
let hooks: Hooks;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mw-owner-hook-'));
  const place = join(directory, 'hooks/owner-created.d');
  mkdirSync(place, { recursive: true });
  // As `install -m 755` does: a checkout may belong to another user.
  writeFileSync(join(place, '10-network'), readFileSync(EXAMPLE), { mode: 0o755 });
  hooks = new Hooks({ directory: join(directory, 'hooks'), recordDirectory: join(directory, 'run') });
  vi.stubEnv('PATH', `${directory}${delimiter}${process.env.PATH}`);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

/** Puts a `mesh` into PATH that notes its words, and that lists these pools and orders. Without pools, it fails to list them. */
function meshWith(pools: string | undefined, orders = 'There are no orders.'): void {
  const list = pools === undefined ? 'exit 1' : `echo '${pools}'`;
  const cases = `*'pool list') ${list} ;; 'order list'*) echo '${orders}' ;;`;
  const script = `#!/bin/sh\necho "$*" >> ${directory}/asked\ncase "$*" in ${cases} esac\n`;
  writeFileSync(join(directory, 'mesh'), script);
  chmodSync(join(directory, 'mesh'), 0o755);
}

const MADE = { event: 'owner-created', phase: 'after', object: 'acme', document: { owner: { name: 'acme' } } } as const;

const asked = () => readFileSync(join(directory, 'asked'), 'utf8').trim().split('\n');

test.each([
  ['[]', 'network'],
  ['[ { "pool": { "kind": "ipv4-subnet" } } ]', 'network'],
  ['[ { "pool": { "kind": "ipv6-prefix" } } ]', 'ipv6-network'],
])('with the pools %s it orders one of the kind %s, however often it runs', async (pools, kind) => {
  meshWith(pools);
  const [report] = await hooks.run(MADE);
  expect(report).toMatchObject({ hook: 'owner-created.d/10-network', answer: { network: 'acme' } });
  expect(report?.error).toBeUndefined();
  expect(asked()).toEqual([
    'order list --owner acme',
    '--json ipam pool list',
    `order ${kind} --owner acme --name acme --once owner-created --no-wait`,
  ]);
});

test('when it cannot ask for the pools it fails, and orders nothing', async () => {
  meshWith(undefined);
  const [report] = await hooks.run(MADE);
  expect(report?.error?.code).toBe('MESH_HOOK_FAILED');
  expect(asked()).toEqual(['order list --owner acme', '--json ipam pool list']);
});

test.each(['network', 'ipv6-network'])('with an earlier order of the kind %s it orders nothing more', async (kind) => {
  meshWith('[ { "pool": { "kind": "ipv6-prefix" } } ]', `ORDER  OWNER  FOR  STATE\n    1  acme   ${kind} acme  done`);
  const [report] = await hooks.run(MADE);
  expect(report).toMatchObject({ answer: { network: 'acme' } });
  expect(asked()).toEqual(['order list --owner acme']);
});

test('when the owner is deleted it does nothing: host0 gives the orders back', async () => {
  meshWith('[]');
  const [report] = await hooks.run({ event: 'owner-created', phase: 'undo', object: 'acme', document: {} });
  expect(report).toMatchObject({ output: '' });
  expect(() => asked()).toThrow();
});
