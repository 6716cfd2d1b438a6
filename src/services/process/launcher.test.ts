/** Orders for processes in any sequence and at any pace: the last order counts, and nothing else runs. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { systemClock } from '../../model/clock.ts';
import { Launcher } from './launcher.ts';
import { type ProcessSpec, specDigest } from './process-spec.ts';

const WAIT = { timeout: 60_000, interval: 20 };
const NAMES = ['one', 'two', 'three'];
const ORDERS = 60;
const TURNS_MAX = 2_000;

/** The arguments of all processes that have `word` among theirs. */
function running(word: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
        return words.includes(word) ? [words.slice(-2)[0] ?? ''] : [];
      } catch {
        return [];
      }
    })
    .sort();
}

test('after orders in any sequence, also to the next launcher, what was ordered last runs, once', async () => {
  const seed = Number(process.env.MESH_SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.info(`MESH_SEED=${seed}`);
  const random = randomFrom(seed);
  const directory = mkdtempSync(join(tmpdir(), 'mw-launcher-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const open = () => new Launcher({ directory, clock: systemClock, journal: { record: () => {} } });
  const spec = (name: string, kind: string): ProcessSpec => ({
    name,
    title: name,
    // `sh` gives the words behind its script to nobody; they stand in its arguments.
    argv: ['sh', '-c', 'while :; do sleep 60 & wait; done', directory, `${name}-${kind}`],
  });
  let launcher = open();
  const wanted = new Map<string, ProcessSpec>();
  onTestFinished(async () => {
    for (const name of NAMES) launcher.end(name);
    await vi.waitFor(() => expect(running(directory)).toEqual([]), WAIT);
    await launcher.release();
  });
  for (let count = 0; count < ORDERS; count++) {
    const name = pick(random, NAMES);
    const kind = pick(random, ['a', 'b', 'none']);
    if (kind === 'none') {
      launcher.end(name);
      wanted.delete(name);
    } else {
      const order = spec(name, kind);
      expect(launcher.start(order)).toBeUndefined();
      wanted.set(name, order);
    }
    // An order counts as carried out at once.
    const present = Object.fromEntries(launcher.present().map(({ name: each, digest }) => [each, digest]));
    expect(present).toEqual(Object.fromEntries(Array.from(wanted, ([each, order]) => [each, specDigest(order)])));
    // Sometimes an order has begun, or is carried out, before the next comes.
    for (let turns = random() < 0.5 ? 0 : random() * TURNS_MAX; turns > 0; turns--) await new Promise(setImmediate);
  }
  const last = Array.from(wanted.values(), ({ argv }) => argv.at(-1) ?? '').sort();
  await vi.waitFor(() => expect(running(directory)).toEqual(last), WAIT);
  await launcher.release();
  launcher = open();
  launcher.follow(wanted);
  expect(
    launcher
      .present()
      .map(({ name }) => name)
      .sort(),
  ).toEqual([...wanted.keys()].sort());
  expect(launcher.health()).toEqual([]);
});

test('an end that is ordered right before the launcher is released is carried out', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-launcher-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const launcher = new Launcher({ directory, clock: systemClock, journal: { record: () => {} } });
  launcher.start({
    name: 'one',
    title: 'one',
    argv: ['sh', '-c', 'while :; do sleep 60 & wait; done', directory, 'x'],
  });
  await vi.waitFor(() => expect(running(directory)).toHaveLength(1), WAIT);
  launcher.end('one');
  await launcher.release();
  expect(running(directory)).toEqual([]);
});
