/** Guests are announced once, when they have opened their tap, through the VXLAN of their network. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { portLink } from '../../../test/kit/trace-cluster.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseMac } from '../../model/address/mac.ts';
import { Signal } from '../../model/signal.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { GuestAnnouncements } from './guest-announcements.ts';
import type { TapPort } from './guest-ports.ts';

const blue = storeNetwork('blue', 0x1001);
const mac = parseMac('02:00:00:00:00:01');
const port: TapPort = { id: '1', tap: true, network: blue.id, link: 'v1', mac, addresses: [parseIpv4('10.7.0.1')] };

test('a guest is announced when it has opened its tap, and again after it was away', () => {
  const passes = new Signal<void>();
  const world = { running: false, taps: [port], failure: undefined as Error | undefined };
  const announced: string[] = [];
  const journal = new Journal(new ManualClock(), 'agent', 'node1');
  const device = blue.type.kind === 'vxlan' ? blue.type.device : '';
  new GuestAnnouncements({
    journal,
    networks: {
      get taps() {
        return world.taps;
      },
      all: [blue],
    },
    reconciler: {
      get cache() {
        const links = [{ ...portLink(2, 'v1'), running: world.running }, portLink(3, device)];
        return KernelTables.of({ links, addresses: [], neighbours: [], fdb: [], routes: [] });
      },
      passes,
    },
    announce: (through, of, addresses) => {
      if (world.failure !== undefined) throw world.failure;
      announced.push(`${through.name} ${of} ${addresses.join(' ')}`);
    },
  });
  const pass = (running: boolean) => {
    world.running = running;
    passes.emit();
    return announced.splice(0);
  };
  expect(pass(false)).toEqual([]);
  expect(pass(true)).toEqual([`${device} ${mac} fe80::ff:fe00:1 10.7.0.1`]);
  expect(pass(true)).toEqual([]);
  expect(pass(false)).toEqual([]);
  world.failure = new Error('down');
  expect(pass(true)).toEqual([]);
  world.failure = undefined;
  pass(false);
  expect(pass(true)).toHaveLength(1);
});
