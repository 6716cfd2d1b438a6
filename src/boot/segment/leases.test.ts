/** How many addresses are left on a segment, from dnsmasq's lease file, and the finding when hardly any is left. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { type Ipv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import type { SubnetView } from '../../protocol/documents/boot-views.ts';
import type { DhcpMessage } from '../frames/sighting.ts';
import { type LeaseRange, type LeaseRoom, Leases } from './leases.ts';
import { leasesFinding } from './segment-note.ts';

const RANGE: LeaseRange = { first: '10.11.0.2' as Ipv4, last: '10.11.0.3' as Ipv4 };
const [ONE, TWO, THREE] = [1, 2, 3].map((number) => parseMac(`02:00:00:00:00:0${number}`)) as [Mac, Mac, Mac];

class LeasedSegment {
  readonly clock = new ManualClock();
  readonly #file = join(mkdtempSync(join(tmpdir(), 'mw-leases-')), 'eth1.leases');
  readonly leases = new Leases(this.#file, this.clock);

  constructor() {
    onTestFinished(() => rmSync(join(this.#file, '..'), { recursive: true }));
  }

  /** Writes the lease file, and answers then, as dnsmasq does. */
  async give(...leased: readonly (readonly [mac: Mac, ipv4: string, sec: number])[]): Promise<void> {
    const nowSec = this.clock.wallTime().getTime() / 1000;
    writeFileSync(this.#file, leased.map(([mac, ipv4, sec]) => `${nowSec + sec} ${mac} ${ipv4} * *\n`).join(''));
    this.see('ACK', ONE);
    await this.clock.pass(200);
    await this.leases.read();
  }

  see(message: DhcpMessage, mac: Mac): void {
    this.leases.see({ kind: 'dhcp', atMs: this.clock.nowMs(), device: 'eth1', message, mac, port: 67 });
  }

  get room(): LeaseRoom {
    return this.leases.room(RANGE);
  }
}

test('an address is free until it is leased, and again when the lease has expired', async () => {
  const segment = new LeasedSegment();
  expect(segment.room).toEqual({ addresses: 2, free: 2, refused: undefined });
  // An older lease in another subnet does not count.
  await segment.give([ONE, '10.11.0.3', 3600], [THREE, '192.168.1.3', 3600]);
  expect(segment.room.free).toBe(1);
  await segment.clock.pass(3_600_000);
  expect(segment.room.free).toBe(2);
});

test('a machine that asks while no address is left is refused, unless it has one', async () => {
  const segment = new LeasedSegment();
  segment.see('DISCOVER', ONE);
  await segment.give([ONE, '10.11.0.2', 3600], [TWO, '10.11.0.3', 3600]);
  expect(segment.room).toEqual({ addresses: 2, free: 0, refused: undefined });
  segment.see('DISCOVER', TWO);
  expect(segment.room.refused).toBeUndefined();
  segment.see('DISCOVER', THREE);
  expect(segment.room.refused).toBe(THREE);
  await segment.clock.pass(120_000);
  expect(segment.room.refused).toBeUndefined();
});

test('a warning comes in time, and its remedy depends on the origin of the subnet', () => {
  const subnet = (origin: SubnetView['origin']): SubnetView => ({
    subnet: parseIpv4Cidr('10.11.0.0/25'),
    ipv4: '10.11.0.1' as Ipv4,
    origin,
  });
  const told = (free: number, origin: SubnetView['origin'] = 'dynamic') =>
    leasesFinding('eth1', subnet(origin), RANGE, { addresses: 100, free, refused: undefined });
  expect(told(10)).toBeUndefined();
  expect(told(9)).toMatchObject({
    severity: 'warning',
    message: expect.stringMatching(/^hardly any of the addresses /),
  });
  expect(told(0)?.remedy).toContain('default_subnet_size');
  expect(told(0, 'own')?.remedy).toContain('in a larger subnet than 10.11.0.0/25');
});
