/** A burst of changes costs host0 one reading, and a steady flow does not put it off. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import type { KernelEvent } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { HostLinks } from './host-links.ts';

const GONE: KernelEvent = {
  type: 'address',
  removed: true,
  echo: false,
  address: {
    family: 4,
    link: 1,
    address: '10.77.0.1' as Ipv4,
    length: 24,
    scope: 'global',
    tentative: false,
    nodad: false,
    protocol: 0,
  },
};

async function mirror() {
  const clock = new ManualClock();
  const count = { readings: 0 };
  const addresses = async () => {
    count.readings++;
    return [];
  };
  const reader = { links: async () => [], addresses, routes: async () => [] };
  const links = new HostLinks({ reader, clock, onError: () => undefined });
  await links.read();
  count.readings = 0;
  return { clock, count, links };
}

test('5,000 addresses that go at once cost one reading', async () => {
  const { clock, count, links } = await mirror();
  for (let i = 0; i < 5_000; i++) links.take(GONE);
  await clock.pass(1_000);
  expect(count.readings).toBe(1);
});

test('a steady flow of changes does not put the reading off', async () => {
  const { clock, count, links } = await mirror();
  for (let ms = 0; ms < 1_000; ms += 10) {
    links.take(GONE);
    await clock.pass(10);
  }
  expect(count.readings).toBeGreaterThan(10);
  expect(count.readings).toBeLessThan(21);
});
