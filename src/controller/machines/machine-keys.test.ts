/** Which keys host0 takes: forged boots lock nobody out, old and revoked keys are refused, and a lost store stops no node. */

import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { MeshError } from '../../model/error.ts';
import { parseMachineId } from '../../model/machine.ts';
import { channelPsk, KEY_BYTES, machineKey } from '../../model/machine-key.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { NamedKey } from '../../protocol/shapes/key-file.ts';
import type { TxnResult } from '../../store/store.ts';
import { MachineKeys } from './machine-keys.ts';

const SECRET = Buffer.alloc(KEY_BYTES, 7);
const [ONE, TWO] = [parseMachineId('10eff964'), parseMachineId('2b1c0d3e')];
let store: MemoryStore;
let keys: MachineKeys;

const open = (secret: Uint8Array | undefined = SECRET) =>
  MachineKeys.open({ store, secret, journal: new Journal(new ManualClock(), 'host0', 'host0') });

beforeEach(async () => {
  store = new MemoryStore();
  keys = await open();
});

async function offered(machine = ONE): Promise<NamedKey> {
  const key = await keys.offer(machine);
  if (key === undefined) throw new Error('no key');
  return key;
}

const isTaken = ({ identity, key }: NamedKey) => keys.pskOf(identity)?.equals(channelPsk(key)) === true;

test('each boot gets a key of the next generation, and no two machines one key', async () => {
  const all = [await offered(), await offered(), await offered(TWO)];
  expect(all.map(({ identity }) => identity)).toEqual(['10eff964.1', '10eff964.2', '2b1c0d3e.1']);
  expect(new Set(all.map(({ key }) => Buffer.from(key).toString('hex'))).size).toBe(3);
  expect(all.map(isTaken)).toEqual([true, true, true]);
});

test('boots at one moment get different keys', async () => {
  const identities = (await Promise.all(Array.from({ length: 20 }, () => offered()))).map(({ identity }) => identity);
  expect(new Set(identities).size).toBe(20);
});

test('forged boots that use no key lock a running node out never, and an earlier boot keeps its key', async () => {
  const running = await offered();
  await keys.used(running.identity);
  const booting = await offered();
  for (let forged = 0; forged < 100; forged++) await offered();
  expect([running, booting].map(isTaken)).toEqual([true, true]);
  await keys.used(booting.identity);
  expect([running, booting].map(isTaken)).toEqual([false, true]);
  expect(keys.refusalOf(running.identity)).toMatchObject({ code: 'MESH_KEY_REFUSED', object: ONE });
});

test('a forged boot does not learn the key of the next boot', async () => {
  const forged = await offered();
  const booted = await offered();
  expect(booted.key).not.toEqual(forged.key);
  await keys.used(booted.identity);
  expect(isTaken(forged)).toBe(false);
});

test('an old generation stays refused when it is reported as used', async () => {
  const [old, present] = [await offered(), await offered()];
  await keys.used(present.identity);
  await keys.used(old.identity);
  expect([old, present].map(isTaken)).toEqual([false, true]);
});

test.each([
  '',
  '10eff964',
  '10eff964.0',
  '10eff964.01',
  'host0.1',
  `${'f'.repeat(100_000)}.1`,
])('the name %j has no key', async (identity) => {
  expect(keys.pskOf(identity)).toBeUndefined();
  expect(keys.refusalOf(identity)).toMatchObject({ code: 'MESH_KEY_REFUSED' });
  await keys.used(identity);
  expect((await store.range('/v1/keys/')).entries).toEqual([]);
});

describe('a restart', () => {
  test('changes nothing', async () => {
    const [old, present, next] = [await offered(), await offered(), await offered()];
    await keys.used(present.identity);
    await keys.revoke(TWO);
    keys = await open();
    expect([old, present, next].map(isTaken)).toEqual([false, true, true]);
    expect([keys.isEnrolled(ONE), keys.isEnrolled(TWO)]).toEqual([true, false]);
    expect((await offered()).identity).toBe('10eff964.4');
  });

  test('with an emptied store stops no node, and an old key does not come back once the node was there', async () => {
    const [old, present] = [await offered(), await offered()];
    store = new MemoryStore();
    keys = await open();
    expect(isTaken(present)).toBe(true);
    await keys.used(present.identity);
    expect([old, present].map(isTaken)).toEqual([false, true]);
    expect((await offered()).identity).toBe('10eff964.3');
  });

  test('with another secret takes no key of before', async () => {
    const before = await offered();
    expect(keys.health()).toEqual([]);
    keys = await open(Buffer.alloc(KEY_BYTES, 8));
    expect(isTaken(before)).toBe(false);
    expect(keys.health()).toMatchObject([{ code: 'MESH_KEY_DAMAGED', object: 'keys/installation' }]);
    // As the remedy says.
    await open();
    keys = await open();
    expect([isTaken(before), keys.health()]).toEqual([true, []]);
  });

  test('without a secret gives and takes no keys', async () => {
    const before = await offered();
    keys = await MachineKeys.open({
      store,
      secret: undefined,
      journal: new Journal(new ManualClock(), 'host0', 'host0'),
    });
    expect([keys.pskOf(before.identity), await keys.offer(ONE)]).toEqual([undefined, undefined]);
  });

  test('with a damaged record takes the keys of that machine', async () => {
    const key = await offered();
    await store.txn([], [{ put: `/v1/keys/${ONE}`, value: '{' }]);
    keys = await open();
    expect(isTaken(key)).toBe(true);
    await keys.used(key.identity);
    keys = await open();
    expect(keys.isEnrolled(ONE)).toBe(true);
  });
});

describe('a revocation', () => {
  test('takes all keys of one machine, tells the channel, and ends with the next boot', async () => {
    const told: string[] = [];
    keys.revocations.subscribe((machine) => told.push(machine));
    const [used, next, other] = [await offered(), await offered(), await offered(TWO)];
    await keys.used(used.identity);
    await keys.revoke(ONE);
    expect([used, next, other].map(isTaken)).toEqual([false, false, true]);
    expect(told).toEqual([ONE]);
    const again = await offered();
    expect([used, next, again].map(isTaken)).toEqual([false, false, true]);
  });

  test('holds for keys that a restored store does not know, and survives that host0 forgets the machine', async () => {
    for (let boot = 0; boot < 5; boot++) await offered();
    const key = await offered();
    store = new MemoryStore();
    keys = await open();
    await keys.revoke(ONE);
    await keys.forget(ONE);
    keys = await open();
    expect(isTaken(key)).toBe(false);
  });
});

describe('a machine that host0 forgets', () => {
  test('leaves no record, and never gets a key again that it had', async () => {
    const keysBefore = [await offered(), await offered(), await offered()];
    await keys.forget(ONE);
    expect((await store.range('/v1/keys/')).entries).toEqual([]);
    keys = await open();
    const next = await offered();
    expect(next.identity).toBe('10eff964.4');
    expect((await offered(TWO)).identity).toBe('2b1c0d3e.4');
    await keys.used(next.identity);
    expect([...keysBefore, next].map(isTaken)).toEqual([false, false, false, true]);
  });
});

describe('on a full disk', () => {
  class FullStore extends MemoryStore {
    full = false;
    override async txn(...changes: Parameters<MemoryStore['txn']>): Promise<TxnResult> {
      if (this.full) throw new MeshError('MESH_STORE_BROKEN', 'the disk is full');
      return await super.txn(...changes);
    }
  }

  test('machines get keys and use them, and the journal says once that they are not recorded', async () => {
    const full = new FullStore();
    store = full;
    const journal = new Journal(new ManualClock(), 'host0', 'host0');
    const events: string[] = [];
    journal.subscribe(({ kind }) => events.push(kind));
    keys = await MachineKeys.open({ store, secret: SECRET, journal });
    full.full = true;
    const [old, present] = [await offered(), await offered()];
    await keys.used(present.identity);
    expect([old, present].map(isTaken)).toEqual([false, true]);
    await expect(keys.revoke(ONE)).rejects.toMatchObject({ code: 'MESH_STORE_BROKEN' });
    expect(isTaken(present)).toBe(false);
    expect(events).toEqual(['key not recorded']);
    full.full = false;
    const next = await offered();
    keys = await open();
    expect([old, present, next].map(isTaken)).toEqual([false, false, true]);
  });
});

test('another writer of the store between two changes is noticed', async () => {
  const other = await open();
  await other.offer(ONE);
  const key = await offered();
  expect(key.identity).toBe('10eff964.2');
  expect(Buffer.from(key.key)).toEqual(machineKey(SECRET, { machine: ONE, generation: 2 }));
});
