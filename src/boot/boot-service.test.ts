/** `BootService` puts its parts together, and does nothing while boot is off. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../test/kit/memory-store.ts';
import { HOST0_DEFAULTS } from '../formats/host0/host0-conf.ts';
import { LiveMirror } from '../kernel/mirror/live-mirror.ts';
import { Signal } from '../model/signal.ts';
import { Journal } from '../protocol/journal/journal.ts';
import { BootService } from './boot-service.ts';
import { AttemptRecords } from './site/attempt-records.ts';

/** The service of a host0 with `boot=off` and without links. */
async function serviceWithBootOff(): Promise<BootService> {
  const state = mkdtempSync(join(tmpdir(), 'mw-boot-service-'));
  onTestFinished(() => rmSync(state, { recursive: true }));
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const store = new MemoryStore();
  const mirror = await LiveMirror.open({
    reader: {
      dump: async () => ({ links: [], addresses: [], routes: [], neighbours: [], fdb: [] }),
      routes: async () => [],
    },
    questions: { neighbour: async () => undefined, fdbEntry: async () => undefined },
    monitor: { events: new Signal(), drain: () => undefined },
    keepsRoute: () => true,
    clock,
    onError: (error) => journal.failure('links unreadable', error),
  });
  const none = async (): Promise<never> => {
    throw new TypeError('no machine boots');
  };
  return BootService.open({
    settings: { ...HOST0_DEFAULTS, boot: 'off' },
    paths: { state, host0: join(state, 'host0') },
    clock,
    journal,
    store,
    mirror,
    setNics: () => {},
    attempts: await AttemptRecords.load({ store, clock, journal, seal: join(state, 'tokens.sealed') }),
    catalogue: { image: none, overlay: none },
    images: join(state, 'images'),
    registry: {
      isKnown: () => false,
      isNamedWith: () => false,
      namedByMac: () => undefined,
      mayBoot: () => undefined,
      boots: none,
      byCard: () => undefined,
    },
    secretsOf: none,
    nameOf: () => undefined,
    meshesOf: () => [],
    refusalOf: () => undefined,
  });
}

test('with boot=off, the parts exist and do nothing', async () => {
  const service = await serviceWithBootOff();
  expect(service.segments.segmentStateOf('eth1')).toEqual({ mode: 'off', why: 'boot is off' });
  expect(service.log.views()).toEqual([]);
  expect([...service.heardAt()]).toEqual([]);
  await service.close();
});
