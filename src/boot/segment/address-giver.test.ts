/** Which addresses machines get: never one twice, never one that a device uses, and the same again. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { type Ipv4, ipv4FromBytes } from '../../model/address/ipv4.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { parseHostFile } from '../../services/dnsmasq/host-file.ts';
import type { DhcpMessage } from '../frames/sighting.ts';
import { AddressGiver } from './address-giver.ts';
import { type LeaseRange, Leases } from './leases.ts';

const HOST0 = '10.11.0.1' as Ipv4;
const CARD = parseMac('02:00:00:00:00:f0');
const STRANGER = parseMac('02:00:00:00:00:f1');
const machine = (number: number) => parseMac(`02:00:00:00:01:${number.toString(16).padStart(2, '0')}`);

/** A segment whose other devices answer ARP. */
class Segment {
  readonly clock = new ManualClock();
  readonly directory = mkdtempSync(join(tmpdir(), 'mw-giver-'));
  readonly file = join(this.directory, 'eth1.hosts');
  /** Who has which address without DHCP. */
  readonly devices = new Map<string, Mac>();
  readonly asked: string[] = [];
  readonly repeated: string[] = [];
  readonly found: string[] = [];
  reloads = 0;
  giver: AddressGiver;
  readonly #range: LeaseRange;

  constructor(last: number, before: { hosts?: string; leases?: string } = {}) {
    onTestFinished(() => rmSync(this.directory, { recursive: true, force: true }));
    this.#range = { first: '10.11.0.2' as Ipv4, last: `10.11.0.${last}` as Ipv4 };
    if (before.hosts !== undefined) writeFileSync(this.file, before.hosts);
    writeFileSync(join(this.directory, 'eth1.leases'), before.leases ?? '');
    this.giver = this.open();
  }

  open(): AddressGiver {
    return new AddressGiver({
      clock: this.clock,
      file: this.file,
      range: this.#range,
      host0: HOST0,
      leases: new Leases(join(this.directory, 'eth1.leases'), this.clock),
      watch: { send: (frame) => this.#answer(frame) },
      mac: CARD,
      reload: () => this.reloads++,
      repeat: (message) => this.repeated.push(message.toString()),
      onUsed: ({ ipv4, mac }) => this.found.push(`${ipv4} ${mac}`),
    });
  }

  #answer(frame: Buffer): void {
    const [asker, target] = [ipv4FromBytes(frame.subarray(28, 32)), ipv4FromBytes(frame.subarray(38, 42))];
    this.asked.push(`${asker} ${target}`);
    const mac = this.devices.get(target);
    if (mac !== undefined) this.clock.after(5, () => this.giver.hear({ ipv4: target, mac }));
  }

  /** A machine asks, and the checks end. */
  async ask(...macs: readonly Mac[]): Promise<(Ipv4 | undefined)[]> {
    for (const mac of macs) this.giver.asked(mac, Buffer.from(mac));
    for (let pass = 0; pass < 10; pass++) await this.clock.pass(300);
    return macs.map((mac) => this.hosts.get(mac));
  }

  see(message: DhcpMessage, mac: Mac, address: Ipv4, ours = false): void {
    this.giver.see({ kind: 'dhcp', atMs: this.clock.nowMs(), device: 'eth1', message, mac, port: 67, address, ours });
  }

  /** What dnsmasq reads. */
  get hosts(): ReadonlyMap<Mac, Ipv4> {
    return new Map(parseHostFile(readFileSync(this.file, 'utf8')));
  }
}

test('24 machines that ask at one moment get 24 addresses, each checked with two questions', async () => {
  const segment = new Segment(126);
  const machines = Array.from({ length: 24 }, (_, number) => machine(number));
  const given = await segment.ask(...machines);
  expect(new Set(given).size).toBe(24);
  expect(given).not.toContain(undefined);
  expect([segment.asked.length, segment.reloads]).toEqual([48, 2]);
  expect(segment.asked).toContain(`0.0.0.0 ${given[0]}`);
  expect(segment.asked).toContain(`${HOST0} ${given[0]}`);
  // dnsmasq is asked again while it does not answer, then the machine has to.
  expect(segment.repeated.filter((mac) => mac === machine(7))).toHaveLength(3);
  // They keep their addresses, also over a restart.
  segment.giver.close();
  segment.giver = segment.open();
  expect(await segment.ask(...machines.toReversed())).toEqual(given.toReversed());
});

test('two machines whose search begins at one address', async () => {
  const segment = new Segment(2);
  const [one, other] = await segment.ask(machine(1), machine(2));
  expect([one, other]).toEqual(['10.11.0.2', undefined]);
});

test('an answer of dnsmasq ends the repeats, and a second question begins no second check', async () => {
  const segment = new Segment(126);
  segment.giver.asked(machine(1), Buffer.from('first'));
  segment.giver.asked(machine(1), Buffer.from('second'));
  await segment.clock.pass(300);
  await segment.clock.pass(50);
  expect([segment.reloads, segment.repeated, segment.asked.length]).toEqual([2, ['second'], 2]);
  segment.see('OFFER', machine(1), segment.hosts.get(machine(1)) ?? HOST0, true);
  await segment.clock.pass(2000);
  expect(segment.repeated).toEqual(['second']);
});

test('an address that a device uses is told and not given, until the device is gone', async () => {
  const segment = new Segment(3);
  segment.devices.set('10.11.0.2', STRANGER);
  expect(await segment.ask(machine(1), machine(2))).toEqual(expect.arrayContaining(['10.11.0.3', undefined]));
  expect([...segment.giver.used]).toEqual([['10.11.0.2', STRANGER]]);
  expect(segment.found).toEqual([`10.11.0.2 ${STRANGER}`]);
  for (let minute = 0; minute < 3; minute++) await segment.clock.pass(60_000);
  expect(segment.giver.used.size).toBe(1);
  segment.devices.clear();
  for (let minute = 0; minute < 3; minute++) await segment.clock.pass(60_000);
  expect(segment.giver.used.size).toBe(0);
  expect((await segment.ask(machine(1), machine(2))).sort()).toEqual(['10.11.0.2', '10.11.0.3']);
});

test('the device itself may ask for the address that it uses', async () => {
  const segment = new Segment(3);
  segment.devices.set('10.11.0.2', STRANGER);
  await segment.ask(machine(1), machine(2));
  expect(await segment.ask(STRANGER)).toEqual(['10.11.0.2']);
  expect(segment.giver.used.size).toBe(0);
});

test('a device that takes the address of a machine: the machine gets another one, at once if it says so itself', async () => {
  const segment = new Segment(126);
  const [first = HOST0] = await segment.ask(machine(1));
  segment.devices.set(first, STRANGER);
  const [second = HOST0] = await segment.ask(machine(1));
  expect([second === first, segment.giver.used.get(first)]).toEqual([false, STRANGER]);
  segment.see('DECLINE', machine(1), second);
  await segment.clock.pass(10);
  expect(segment.hosts.has(machine(1))).toBe(false);
  const [third] = await segment.ask(machine(1));
  expect([first, second]).not.toContain(third);
});

test('a machine keeps its address beyond its lease, and when addresses run out, the one that is longest away gives way', async () => {
  const segment = new Segment(3, { hosts: `${machine(1)},10.11.0.2\n${machine(2)},10.11.0.3\nspoilt,10.11` });
  // The first is still there with its address, though its lease is over.
  segment.devices.set('10.11.0.2', machine(1));
  expect(await segment.ask(machine(3))).toEqual(['10.11.0.3']);
  expect(segment.hosts.get(machine(2))).toBeUndefined();
  expect(await segment.ask(machine(1))).toEqual(['10.11.0.2']);
  // What was offered a moment ago is not taken away.
  expect(await segment.ask(machine(4))).toEqual([undefined]);
});

test('a machine that runs keeps its address when host0 has lost its files, unless another device has it', async () => {
  const segment = new Segment(126);
  segment.devices.set('10.11.0.77', machine(1)).set('10.11.0.78', STRANGER);
  // Its renewal, which dnsmasq refuses; then it asks anew.
  segment.see('REQUEST', machine(1), '10.11.0.77' as Ipv4);
  segment.see('REQUEST', machine(2), '10.11.0.78' as Ipv4);
  segment.see('DISCOVER', machine(3), '192.168.1.9' as Ipv4);
  const [one, two, three] = await segment.ask(machine(1), machine(2), machine(3));
  expect(one).toBe('10.11.0.77');
  expect(two).not.toBe('10.11.0.78');
  expect(three).toMatch(/^10\.11\.0\./);
});

test('leases of an earlier version are kept, also against the file', () => {
  const lease = `0 ${machine(1)} 10.11.0.9 * *\n0 ${machine(2)} 10.99.0.9 * *\n`;
  const segment = new Segment(126, { leases: lease, hosts: `${machine(3)},10.11.0.9\n` });
  expect([...segment.hosts]).toEqual([[machine(1), '10.11.0.9']]);
});

test('the file is for dnsmasq’s user, is overwritten in place, and says when it cannot be written', async () => {
  const segment = new Segment(126);
  const { ino, size, mode } = statSync(segment.file);
  await segment.ask(machine(1));
  expect(statSync(segment.file)).toMatchObject({ ino, size });
  expect(mode & 0o777).toBe(0o644);
  expect(segment.reloads).toBe(2);
  rmSync(segment.directory, { recursive: true });
  segment.giver.asked(machine(2), Buffer.from(''));
  await segment.clock.pass(300);
  await segment.clock.pass(50);
  expect([existsSync(segment.file), segment.giver.error?.message]).toEqual([false, expect.stringContaining('ENOENT')]);
});
