/** The hooks of an event: names, order, and what a failure means in each phase. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HookCall } from '../../protocol/documents/order/hook.ts';
import { Hooks } from './hooks.ts';

let directory: string;
let hooks: Hooks;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mw-hooks-'));
  hooks = new Hooks({ directory, recordDirectory: join(directory, 'run'), env: { MESH_ROOT: '/lab' } });
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function put(name: string, script: string): void {
  mkdirSync(join(directory, 'network.d'), { recursive: true });
  writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

const call = (phase: HookCall['phase']): HookCall => ({ event: 'network', phase, object: 'blue', document: {} });

test('the single file is first, then the directory in the order of bytes; other names are no hooks', async () => {
  for (const name of ['network.d/20-b', 'network.d/10-a', 'network.d/A-z', 'network.d/a-z', 'network'])
    put(name, 'echo $MESH_ROOT');
  for (const name of ['network.d/30-c.off', 'network.d/10-a~', 'network.d/10-a.conf', 'network.d/README.md'])
    put(name, 'exit 1');
  const names = ['network', 'network.d/10-a', 'network.d/20-b', 'network.d/A-z', 'network.d/a-z'];
  const reports = await hooks.run(call('before'));
  expect(reports.map(({ hook }) => hook)).toEqual(names);
  expect(new Set(reports.map(({ output }) => output))).toEqual(new Set(['/lab\n']));
  expect((await hooks.run(call('undo'))).map(({ hook }) => hook)).toEqual(names.toReversed());
});

test('before a step, the first refusal is the last hook; after it, all hooks run', async () => {
  put('network.d/10-a', `echo '{"ticket":7}'`);
  put('network.d/20-b', 'echo no >&2; exit 1');
  put('network.d/30-c', 'echo c');
  const before = await hooks.run(call('before'));
  expect(before.map(({ hook, answer, error }) => [hook, answer, error?.code])).toEqual([
    ['network.d/10-a', { ticket: 7 }, undefined],
    ['network.d/20-b', undefined, 'MESH_HOOK_REFUSED'],
  ]);
  const after = await hooks.run(call('after'));
  expect(after.map(({ error }) => error?.code)).toEqual([undefined, 'MESH_HOOK_FAILED', undefined]);
});

test('an event without hooks, and a directory that does not exist, are no failure', async () => {
  expect(await hooks.run(call('before'))).toEqual([]);
  expect(hooks.has('network')).toBe(false);
  put('network', 'exit 0');
  expect(hooks.has('network')).toBe(true);
  expect(await new Hooks({ directory: '/no/such', recordDirectory: '/no/run' }).run(call('after'))).toEqual([]);
});
