/** Attempts and their tokens: which asker gets secrets, and for how long. */
import { beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { type Asker, type Attempt, Attempts } from './attempts.ts';

const mac = parseMac('52:54:00:12:34:56');
const other = parseMac('52:54:00:99:99:99');
const ipv4 = '10.11.0.7' as Ipv4;
const boot = { machine: '10eff964' as MachineId, mac, ipv4, device: 'eth1', overlay: '/overlay' };

let kept: Attempt[];
const keeper = { keep: async (attempt: Attempt) => void kept.push(attempt) };

beforeEach(() => {
  kept = [];
});

async function outcome(attempts: Attempts, token: string, asker: Asker): Promise<string> {
  try {
    return (await attempts.spend(token, asker)).machine;
  } catch (error) {
    return MeshError.from(error).message;
  }
}

test('a token gives secrets once, to the machine itself', async () => {
  const attempts = new Attempts(new ManualClock(), keeper);
  const { token } = await attempts.open(boot);
  expect(await outcome(attempts, token, { ipv4: '10.11.0.8' as Ipv4, mac })).toMatch(
    'boots at 10.11.0.7, and 10.11.0.8 asks',
  );
  expect(await outcome(attempts, token, { ipv4, mac: other })).toMatch(
    `10.11.0.7 now has the MAC ${other}, but machine 10eff964 boots with ${mac}`,
  );
  expect(await outcome(attempts, token, { ipv4 })).toMatch('10.11.0.7 has no neighbour entry, but');
  expect(await outcome(attempts, token, { ipv4, mac, leasedTo: other })).toMatch(`is leased to ${other}`);
  // None of these askers has spent the token.
  expect(await outcome(attempts, token, { ipv4, mac, leasedTo: mac })).toBe('10eff964');
  expect(await outcome(attempts, token, { ipv4, mac })).toMatch('was shown a second time');
  expect(await outcome(attempts, '0'.repeat(32), { ipv4, mac })).toMatch('did not give');
});

test('a new boot of a machine ends the earlier one and its token', async () => {
  const attempts = new Attempts(new ManualClock(), keeper);
  const first = await attempts.open(boot);
  const second = await attempts.open({ ...boot, ipv4: '10.11.0.9' as Ipv4 });
  expect(attempts.get(first.id)).toBeUndefined();
  expect(attempts.at(ipv4)).toBeUndefined();
  expect(await outcome(attempts, first.token, { ipv4, mac })).toMatch('did not give');
  expect(attempts.at(second.ipv4)?.id).toBe(second.id);
  expect(second.token).not.toBe(first.token);
  expect([first.turn, second.turn]).toEqual([1, 2]);
});

test('the attempt of a machine that is forgotten is worth nothing, and its record goes with the next one', async () => {
  const over: string[] = [];
  const attempts = new Attempts(new ManualClock(), {
    keep: async (_attempt, others) => void over.push(...others.map(({ machine }) => machine)),
  });
  const { token, id } = await attempts.open(boot);
  const other = { ...boot, machine: '00000001' as MachineId, ipv4: '10.11.0.8' as Ipv4 };
  await attempts.open(other);
  for (const machine of [boot.machine, other.machine, 'ffffffff' as MachineId]) attempts.end(machine);
  expect(attempts.get(id)).toBeUndefined();
  expect(await outcome(attempts, token, { ipv4, mac })).toMatch('did not give');
  // The record of the machine that boots again is replaced, and must not be removed.
  await attempts.open(boot);
  expect(over).toEqual([other.machine]);
});

test('a boot is under way for two minutes and forgotten after twenty', async () => {
  const clock = new ManualClock();
  const attempts = new Attempts(clock, keeper);
  const attempt = await attempts.open(boot);
  expect(attempts.underWay(boot.machine)?.id).toBe(attempt.id);
  await clock.pass(121_000);
  expect(attempts.underWay(boot.machine)).toBeUndefined();
  expect(attempts.get(attempt.id)?.machine).toBe(boot.machine);
  await clock.pass(20 * 60_000);
  await attempts.open({ ...boot, machine: '00000001' as MachineId, ipv4: '10.11.0.8' as Ipv4 });
  expect(attempts.get(attempt.id)).toBeUndefined();
  expect((await attempts.open(boot)).turn).toBe(1);
});

test('attempts that were kept stay valid after a restart, and the kept form holds no token', async () => {
  const clock = new ManualClock();
  const first = new Attempts(clock, keeper);
  const { id, token } = await first.open(boot);
  expect(JSON.stringify(kept)).not.toMatch(token);
  const second = new Attempts(clock, keeper, kept);
  expect(second.at(ipv4)?.id).toBe(id);
  expect(second.owner(token)).toBe(boot.machine);
  expect(await outcome(second, token, { ipv4, mac })).toBe(boot.machine);
  const third = new Attempts(clock, keeper, kept.slice(-1));
  expect(third.get(id)?.machine).toBe(boot.machine);
  expect(await outcome(third, token, { ipv4, mac })).toMatch('was shown a second time');
  // The second asker comes before the first is durable.
  const { token: next } = await third.open(boot);
  const both = await Promise.all([outcome(third, next, { ipv4, mac }), outcome(third, next, { ipv4, mac })]);
  expect(both).toEqual([boot.machine, expect.stringContaining('a second time')]);
});
