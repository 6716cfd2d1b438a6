/** `bin/mesh` runs on a Node that is new enough, and says what to do where there is none. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BIN } from './cli/mesh.ts';

/** Where `bin/mesh` is. */
let top: string;
/** Programs of the machine, which did not come with Meshwork. */
let machine: string;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'launcher-'));
  machine = mkdtempSync(join(tmpdir(), 'launcher-machine-'));
  mkdirSync(join(top, 'bin'));
  cpSync(BIN, join(top, 'bin/mesh'));
});
afterEach(() => {
  for (const directory of [top, machine]) rmSync(directory, { recursive: true });
});

/** A program that answers `--version` like Node, and else prints its arguments. */
function fakeNode(file: string, version: string): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\nif [ "$1" = --version ]; then echo ${version}; else echo "runs on ${version}"; fi\n`);
  chmodSync(file, 0o755);
  return file;
}

function mesh(env: Record<string, string> = {}): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync('/bin/sh', [join(top, 'bin/mesh'), 'status'], {
    encoding: 'utf8',
    env: { PATH: `${join(machine, 'path')}:/usr/bin:/bin`, ...env },
  });
  return { status, out: stdout, err: stderr };
}

test('an old Node in PATH is refused with its version and what to do', () => {
  const node = fakeNode(join(machine, 'path/node'), 'v20.20.2');
  const { status, out, err } = mesh();
  expect({ status, out }).toEqual({ status: 5, out: '' });
  expect(err).toBe(`mesh: ${node} is Node.js v20.20.2. Meshwork needs Node 22 or later. Install Node 22 or later.\n`);
});

test('an old Node that MESH_NODE names is refused, though there is a newer one', () => {
  fakeNode(join(machine, 'path/node'), 'v24.1.0');
  const old = fakeNode(join(machine, 'old/node'), 'v18.0.0');
  const { status, err } = mesh({ MESH_NODE: old });
  expect(status).toBe(5);
  expect(err).toContain(`${old} is Node.js v18.0.0.`);
  expect(err).toContain('Let MESH_NODE name Node 22 or later, or unset it.');
});

test('a Node that came with Meshwork is taken before one in PATH; a newer major version is new enough', () => {
  fakeNode(join(machine, 'path/node'), 'v26.0.0');
  expect(mesh().out).toBe('runs on v26.0.0\n');
  fakeNode(join(top, 'node'), 'v24.21.0');
  expect(mesh().out).toBe('runs on v24.21.0\n');
});

test('what is built runs on Node 22, and a checkout on 24', () => {
  const node = fakeNode(join(machine, 'path/node'), 'v22.23.5');
  expect(mesh().out).toBe('runs on v22.23.5\n');
  mkdirSync(join(top, 'src/main'), { recursive: true });
  mkdirSync(join(top, 'node_modules'));
  writeFileSync(join(top, 'src/main/cli.ts'), '');
  expect(mesh().err).toBe(
    `mesh: ${node} is Node.js v22.23.5. Meshwork needs Node 24 or later. Install Node 24 or later, or run scripts/setup in the checkout, which brings Node 24.\n`,
  );
});

test('a checkout without its dependencies says how to set it up', () => {
  fakeNode(join(machine, 'path/node'), 'v24.1.0');
  mkdirSync(join(top, 'src/main'), { recursive: true });
  writeFileSync(join(top, 'src/main/cli.ts'), '');
  const { status, err } = mesh();
  expect(status).toBe(5);
  expect(err).toBe(
    `mesh: this checkout is not set up yet. Run ${top}/scripts/setup, which installs what is missing.\n`,
  );
});
