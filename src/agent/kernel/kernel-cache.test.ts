/** Which FDB entries a cache keeps: made-up Ethernet addresses must not fill the memory of an agent. */
import { expect, test } from 'vitest';
import type { FdbEntry } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { KernelCache } from './kernel-cache.ts';

const MEMBER = '02:00:00:00:00:01' as Mac;
const PORT = 5;
const VXLAN = 6;

function entry(mac: string, more: Partial<FdbEntry> = {}): FdbEntry {
  return { table: 'master', link: PORT, mac: mac as Mac, state: 'dynamic', externLearn: false, sticky: false, ...more };
}

function take(cache: KernelCache, changed: FdbEntry, removed = false): boolean {
  return cache.take({ type: 'fdb', removed, entry: changed, echo: false });
}

const BRIDGE_PORTS = { links: [], addresses: [], routes: [], neighbours: [] };

test('learnt entries of strangers are counted, and are no change', () => {
  const cache = KernelCache.of(
    { ...BRIDGE_PORTS, fdb: [], otherFdb: [{ link: VXLAN, table: 'self', count: 7 }] },
    () => false,
  );
  cache.takeChanges();
  for (let number = 0; number < 200_000; number++) take(cache, entry(`06:00:00:00:00:${number}`));
  expect(cache.fdb.size).toBe(0);
  expect(cache.takeChanges()).toEqual({ topology: false, entries: [] });
  expect(cache.othersSinceDump).toBe(200_000);
  expect(cache.others).toEqual([{ link: VXLAN, table: 'self', count: 7 }]);
});

test('entries of the agent and of administrators are kept, and learnt ones of followed addresses', () => {
  const cache = new KernelCache((mac) => mac === MEMBER);
  expect(take(cache, entry('06:00:00:00:00:01', { externLearn: true }))).toBe(true);
  expect(take(cache, entry('06:00:00:00:00:02', { state: 'static' }))).toBe(true);
  expect(take(cache, entry('06:00:00:00:00:03', { state: 'permanent' }))).toBe(true);
  expect(take(cache, entry(MEMBER))).toBe(true);
  expect(take(cache, entry('06:00:00:00:00:04'))).toBe(false);
  expect(cache.fdb.size).toBe(4);
});

test('an entry that a stranger takes over is seen, also when its address is not followed any more', () => {
  const cache = new KernelCache(() => false);
  const own = entry(MEMBER, { table: 'self', link: VXLAN, remoteVtep: '10.0.0.1' as Ipv4, externLearn: true });
  take(cache, own);
  const moved = { ...own, remoteVtep: '10.0.0.2' as Ipv4, externLearn: false };
  expect(take(cache, moved)).toBe(true);
  expect(cache.entryAt(own)).toEqual(moved);
  expect(take(cache, moved, true)).toBe(true);
  expect(take(cache, moved)).toBe(false);
  expect(cache.fdb.size).toBe(0);
});
