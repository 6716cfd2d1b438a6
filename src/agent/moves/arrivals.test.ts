/** What copies that were given up leave behind. That copies arrive is in api/channel/volume-copy.test.ts. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import { ImageCache } from '../images/image-cache.ts';
import { Volumes } from '../images/volumes.ts';
import { Arrivals } from './arrivals.ts';

const HOUR_MS = 3_600_000;
const ID = '1a2b3c4d';

test('a whole copy that no assignment names goes after a day, and one that is named stays', async () => {
  const root = mkdtempSync(join(tmpdir(), 'mw-arrivals-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const clock = new ManualClock();
  const directory = join(root, 'arrivals');
  const cache = new ImageCache({
    ...{ directory: join(root, 'images'), clock, journal: { record: () => undefined } },
    origin: () => () => Promise.reject(new Error('nothing comes from there')),
  });
  let given: readonly Pick<AssignedWorkload, 'id' | 'arrived'>[] | undefined;
  const volumes = new Volumes(cache, join(root, 'volumes'), '/');
  const arrivals = new Arrivals({ clock, directory, cache, volumes, variablesOf: () => '/none', given: () => given });
  onTestFinished(() => arrivals.close());
  const leave = (word: string, ageHours: number, isWhole = true) => {
    const place = join(directory, `${ID}.${word}`);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, isWhole ? 'data' : 'data.part'), 'a disk');
    if (isWhole) writeFileSync(join(place, 'whole.json'), '{"disks":{"data":""}}\n');
    const time = new Date(clock.wallTime().getTime() - ageHours * HOUR_MS);
    utimesSync(place, time, time);
  };
  leave('named', 25);
  leave('forgotten', 25);
  leave('fresh', 23);
  leave('half', 25, false);
  await arrivals.sweep();
  // Before an assignment is known, nobody knows what it names.
  expect(readdirSync(directory).toSorted()).toEqual([`${ID}.forgotten`, `${ID}.fresh`, `${ID}.named`]);
  given = [{ id: ID, arrived: 'named' }];
  await clock.pass(HOUR_MS);
  await vi.waitFor(() => expect(existsSync(join(directory, `${ID}.forgotten`))).toBe(false), PATIENCE);
  expect(readdirSync(directory).toSorted()).toEqual([`${ID}.fresh`, `${ID}.named`]);
  // Without another copy, too.
  await vi.waitFor(async () => {
    await clock.pass(HOUR_MS);
    expect(readdirSync(directory)).toEqual([`${ID}.named`]);
  }, PATIENCE);
});
