/** Boots under way survive a restart of host0's daemon, and a full disk gives no secrets twice. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { MeshEvent } from '../../protocol/journal/event.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { AttemptRecords } from './attempt-records.ts';

const mac = parseMac('52:54:00:12:34:56');
const ipv4 = '10.11.0.7' as Ipv4;
const boot = { machine: '10eff964' as MachineId, mac, ipv4, device: 'eth1', overlay: '/overlay' };

function world() {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const events: MeshEvent[] = [];
  journal.subscribe((event) => events.push(event));
  const store = new MemoryStore();
  const directory = mkdtempSync(join(tmpdir(), 'mw-attempts-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const seal = join(directory, 'boot/sealed');
  return { clock, store, events, load: () => AttemptRecords.load({ store, clock, journal, seal }) };
}

test('a boot survives a restart of the daemon for twenty minutes', async () => {
  const { clock, store, load } = world();
  const { id, token } = await (await load()).open(boot);
  expect(JSON.stringify(await store.range(''))).not.toMatch(token);
  await clock.pass(60_000);
  const second = await load();
  expect(second.get(id)).toMatchObject({ ...boot, startedMs: 0, spent: false });
  expect(second.underWay(boot.machine)?.id).toBe(id);
  await second.spend(token, { ipv4, mac });
  const third = await load();
  await expect(third.spend(token, { ipv4, mac })).rejects.toThrow('a second time');
  await clock.pass(20 * 60_000);
  expect((await load()).get(id)).toBeUndefined();
  expect((await store.range('/v1/boots/')).entries).toEqual([]);
});

test('the next boot of any machine removes old records', async () => {
  const { clock, store, load } = world();
  const attempts = await load();
  await attempts.open(boot);
  await clock.pass(20 * 60_000 + 1);
  await attempts.open({ ...boot, machine: '00000001' as MachineId });
  const { entries } = await store.range('/v1/boots/');
  expect(entries.map(({ key }) => key)).toEqual(['/v1/boots/00000001']);
});

test('a damaged record is removed', async () => {
  const { store, load } = world();
  await store.txn([], [{ put: '/v1/boots/10eff964', value: '{"startedAt":"2030-01-01T00:00:00Z","machine":"x"}' }]);
  expect((await load()).at(ipv4)).toBeUndefined();
  expect((await store.range('/v1/boots/')).entries).toEqual([]);
});

test('with a full disk machines still boot, and one event says so', async () => {
  const { store, events, load } = world();
  const attempts = await load();
  store.txn = () => Promise.reject(new MeshError('MESH_DISK_REFUSED', 'no room'));
  await attempts.open(boot);
  const { token } = await attempts.open(boot);
  expect(await attempts.spend(token, { ipv4, mac })).toMatchObject({ machine: boot.machine });
  expect(events).toMatchObject([{ kind: 'boot not recorded', code: 'MESH_DISK_REFUSED', level: 'warning' }]);
});

test('a restarted daemon does not give secrets again that were given while the disk was full', async () => {
  const { store, load } = world();
  const attempts = await load();
  const { id, token } = await attempts.open(boot);
  const other = await attempts.open({ ...boot, machine: '00000001' as MachineId, ipv4: '10.11.0.8' as Ipv4 });
  const write = store.txn.bind(store);
  store.txn = () => Promise.reject(new MeshError('MESH_DISK_REFUSED', 'no room'));
  await attempts.spend(token, { ipv4, mac });
  // The disk is still full at the first restart. Then it has room.
  for (const txn of [store.txn, write, write]) {
    store.txn = txn;
    const next = await load();
    expect(next.get(id)?.machine).toBe(boot.machine);
    await expect(next.spend(token, { ipv4, mac })).rejects.toThrow('a second time');
    expect(next.owner(other.token)).toBeUndefined();
  }
  const { token: fresh, turn } = await (await load()).open(boot);
  expect(turn).toBe(2);
  expect((await load()).owner(fresh)).toBe(boot.machine);
});
