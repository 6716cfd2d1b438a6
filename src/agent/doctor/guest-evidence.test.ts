import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../model/clock.ts';
import { fileOrigin } from '../images/file-origin.ts';
import { ImageCache } from '../images/image-cache.ts';
import { sourceText } from '../images/image-source.ts';
import type { GuestMeans } from '../workloads/guest-means.ts';
import { collectGuests } from './guest-evidence.ts';

test('the cache of a node with guests is judged by the images that could give way', async () => {
  const root = mkdtempSync(join(tmpdir(), 'doctor-guests-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const cache = new ImageCache({
    directory: join(root, 'images'),
    clock: systemClock,
    journal: { record: () => undefined },
    origin: (source) => fileOrigin(sourceText(source)),
    limitBytes: 1024 ** 3,
  });
  const add = async (name: string, bytes: number) => {
    writeFileSync(join(root, name), Buffer.alloc(bytes, `${name}\0`));
    return await cache.ensure({ source: join(root, name) });
  };
  const used = await add('used.img', 8_192);
  await cache.use(used.sha256, join(root, 'volume'));
  await add('unused.img', 4_096);
  const means: GuestMeans = {
    emulator: { accelerator: 'kvm' },
    memory: { totalBytes: 2, availableBytes: 1 },
    openBytes: 0,
  };
  expect(await collectGuests({ means: () => Promise.resolve(undefined) }, cache)).toBeUndefined();
  expect(await collectGuests({ means: () => Promise.resolve(means) }, cache)).toMatchObject({
    ...means,
    cache: { limitBytes: 1024 ** 3, usedBytes: 12_288, unusedBytes: 4_096, freeBytes: expect.any(Number) },
  });
});
