/** The bundles of `npm run build` run in any directory, without the source and node_modules. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installPrograms } from '../../../src/image/node/node-programs.ts';

let place: string;

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'mw-bundle-'));
  await installPrograms(join(place, 'copied'));
});

afterAll(() => rmSync(place, { recursive: true, force: true }));

function mesh(...words: readonly string[]): string {
  const env = { ...process.env, MESH_NODE: process.execPath };
  return execFileSync(join(place, 'copied/bin/mesh'), words, { cwd: '/', env, encoding: 'utf8' });
}

test('a lab of two nodes runs from the bundles', () => {
  const report = JSON.parse(mesh('lab', 'up', '--name', `bundle-${process.pid}`, '--nodes', '2', '--json'));
  expect(report).toMatchObject({ ok: true });
}, 60_000);
