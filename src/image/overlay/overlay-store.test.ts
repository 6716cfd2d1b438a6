/** Several `mesh system configure` at once: each ends well, and what is in force is complete. */
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { machineIdOf } from '../../model/machine.ts';
import type { CompiledMachine } from './compilation.ts';
import { contentHash } from './content-hash.ts';
import { Overlay } from './overlay.ts';
import { OverlayStore } from './overlay-store.ts';

const MACHINES = 20;
const WRITERS = 9;
const ROUNDS = 3;
const TWO_HOURS_SEC = 7200;

let state: string;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'mesh-overlays-'));
});
afterEach(() => rmSync(state, { recursive: true }));

function compiled(edition: string): CompiledMachine[] {
  return Array.from({ length: MACHINES }, (_, number) => {
    const overlay = new Overlay();
    overlay.putFile('etc/own', `${number} ${edition}\n`);
    const { entries } = overlay;
    const name = `node${number}`;
    return { machine: machineIdOf(name), name, packages: [], overlay: { entries, content: contentHash(entries) } };
  });
}

async function expectWhole(): Promise<void> {
  const overlayStore = new OverlayStore(state);
  const machines = (await overlayStore.index())?.machines ?? [];
  expect(machines).toHaveLength(MACHINES);
  const gone = machines.filter(({ overlay }) => overlay === undefined || !existsSync(overlayStore.pathOf(overlay)));
  expect(gone).toEqual([]);
}

test('writers of different trees do not disturb each other', async () => {
  const writer = async (number: number) => {
    for (let round = 0; round < ROUNDS; round++) {
      await new OverlayStore(state).publish(compiled(`writer ${number}, round ${round}`), new Date());
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, number) => writer(number)));
  await expectWhole();
  expect(readdirSync(join(state, 'overlays')).filter((name) => name.endsWith('.new'))).toEqual([]);
});

test('an overlay of long ago that comes back is not taken for garbage by another writer', async () => {
  const [before, now] = [compiled('before'), compiled('now')];
  const publish = (machines: readonly CompiledMachine[]) => new OverlayStore(state).publish(machines, new Date());
  await publish(before);
  await publish(now);
  for (const name of readdirSync(join(state, 'overlays'))) {
    const longAgo = Date.now() / 1000 - TWO_HOURS_SEC;
    utimesSync(join(state, 'overlays', name), longAgo, longAgo);
  }
  await publish(before);
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all([publish(now), publish(before), publish(now)]);
    await expectWhole();
  }
});
