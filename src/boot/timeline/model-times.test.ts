/** What host0 learns from successful boots, and what made-up models cannot do to it. */
import { expect, test } from 'vitest';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { MeshError } from '../../model/error.ts';
import { modelOf } from '../site/hardware.ts';
import { MODELS_MAX, ModelTimes } from './model-times.ts';

const revisionOf = async (store: MemoryStore) => (await store.range('/v1/boot-times/')).revision;

test('the times of a model’s last eight boots survive a restart', async () => {
  const store = new MemoryStore();
  const times = await ModelTimes.open(store);
  for (let boot = 1; boot <= 10; boot++) await times.learn('Box, efi', { offer: boot * 1_000 - 300, tftp: 100 });
  await times.learn('Other', { agent: 2_000 });
  for (const known of [times, await ModelTimes.open(store)]) {
    expect(known.silencesOf('Box, efi')).toEqual({
      offer: [3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000],
      tftp: Array.from({ length: 8 }, () => 500),
    });
    expect(known.silencesOf('Other')).toEqual({ agent: [2_000] });
    expect(known.silencesOf('Box')).toBeUndefined();
  }
});

test('a boot that tells nothing new writes nothing', async () => {
  const store = new MemoryStore();
  const times = await ModelTimes.open(store);
  for (let boot = 0; boot < 8; boot++) await times.learn('Box', { offer: 4_100 + boot });
  const revision = await revisionOf(store);
  await times.learn('Box', { offer: 4_499, discover: 500, tftp: 600_000 });
  expect(await revisionOf(store)).toBe(revision);
});

test('made-up models are limited in number and length, and cannot name other records', async () => {
  const store = new MemoryStore();
  const times = await ModelTimes.open(store);
  await times.learn('ours', { offer: 4_000 });
  const strange = ['../../v1/machines/10eff964', '__proto__', 'constructor', '{"model":"ours"}', 'ours\u0000', ''];
  for (const model of strange) await times.learn(model, { offer: 1_000 });
  for (const model of strange) expect(times.silencesOf(model)).toEqual({ offer: [1_000] });
  expect(times.silencesOf('ours')).toEqual({ offer: [4_000] });
  for (let number = 0; number < MODELS_MAX; number++) {
    if (number === 100) await times.learn('ours', { offer: 5_000 });
    await times.learn(`model ${number}`, { offer: 1_000 });
  }
  expect(times.size).toBe(MODELS_MAX);
  expect(times.silencesOf('ours')).toEqual({ offer: [4_000, 5_000] });
  expect(times.silencesOf('model 0')).toBeUndefined();
  const { entries } = await store.range('');
  expect(entries).toHaveLength(MODELS_MAX);
  expect(entries.every(({ key }) => /^\/v1\/boot-times\/[0-9a-f]{16}$/.test(key))).toBe(true);
  // After a restart the same model is the next to be dropped.
  const next = await ModelTimes.open(store);
  await next.learn('one more', { offer: 1_000 });
  expect([next.size, next.silencesOf('model 1')]).toEqual([MODELS_MAX, undefined]);

  const long = 'x'.repeat(128);
  expect(modelOf({ manufacturer: long, product: long, platform: long })).toHaveLength(128);
  expect(modelOf({ platform: 'efi' })).toBeUndefined();
  expect(modelOf({ product: 'Box', platform: 'efi' })).toBe('Box, efi');
});

test('a record that is damaged or under a wrong key is left out, and a full disk is no failure', async () => {
  const store = new MemoryStore();
  const times = await ModelTimes.open(store);
  await times.learn('Box', { offer: 4_000 });
  const [{ key } = { key: '' }] = (await store.range('')).entries;
  const opened = async (value: string, at = key) => {
    await store.txn([], [{ put: at, value }]);
    return (await ModelTimes.open(store)).silencesOf('Box');
  };
  expect(await opened('{')).toBeUndefined();
  expect(await opened('null')).toBeUndefined();
  expect(await opened('{"model":"Other","silences":{"offer":[1000]}}')).toBeUndefined();
  expect(await opened('{"model":"Box","silences":{"offer":[1e300],"tftp":["1"],"agent":[1000],"x":[1]}}')).toEqual({
    agent: [1_000],
  });
  store.txn = () => Promise.reject(new MeshError('MESH_DISK_REFUSED', 'no room'));
  await times.learn('Box', { offer: 5_000 });
  expect(times.silencesOf('Box')).toEqual({ offer: [4_000, 5_000] });
});
