/** Which members are dropped for their silence, and that none is while host0 itself cannot hear. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { Heartbeats } from './heartbeats.ts';

const NODE1 = 'fd42::1' as Ipv6;
const NODE2 = 'fd42::2' as Ipv6;
const READY = { phase: 'ready' } as const;

test('silence counts only while host0 hears', async () => {
  const clock = new ManualClock();
  const dropped: Ipv6[] = [];
  let hears = true;
  const heartbeats = new Heartbeats({
    clock,
    drop: async (ipv6) => {
      dropped.push(ipv6);
      heartbeats.forget(ipv6);
    },
    failed: (error) => expect.unreachable(String(error)),
    hears: () => hears,
  });
  heartbeats.hearing = true;
  for (const ipv6 of [NODE1, NODE2]) heartbeats.beat(ipv6, READY);
  await clock.pass(5_000);
  hears = false;
  await clock.pass(60_000);
  expect(dropped).toEqual([]);
  // Both have the full nine seconds from then on.
  hears = true;
  await clock.pass(7_000);
  heartbeats.beat(NODE2, READY);
  await clock.pass(3_000);
  expect(dropped).toEqual([NODE1]);
});
