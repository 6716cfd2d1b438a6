import { expect, test } from 'vitest';
import { MeshError } from '../model/error.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { parseMac } from '../model/mac.ts';
import type { MachineId } from '../model/machine.ts';
import { ManualClock } from '../model/manual-clock.ts';
import { type Asker, Attempts } from './attempts.ts';

const mac = parseMac('52:54:00:12:34:56');
const other = parseMac('52:54:00:99:99:99');
const ipv4 = '10.11.0.7' as Ipv4;
const boot = { machine: '10eff964' as MachineId, mac, ipv4, device: 'eth1', overlay: '/overlay' };

function outcome(attempts: Attempts, token: string, asker: Asker): string {
  try {
    return attempts.spend(token, asker).machine;
  } catch (error) {
    return MeshError.from(error).message;
  }
}

test('a token is worth one answer, to the machine itself', () => {
  const attempts = new Attempts(new ManualClock());
  const { token } = attempts.open(boot);
  expect(outcome(attempts, token, { ipv4: '10.11.0.8' as Ipv4, mac })).toMatch(
    'boots at 10.11.0.7, and 10.11.0.8 asks',
  );
  expect(outcome(attempts, token, { ipv4, mac: other })).toMatch(`10.11.0.7 is at ${other} now`);
  expect(outcome(attempts, token, { ipv4 })).toMatch('is at no address now');
  expect(outcome(attempts, token, { ipv4, mac, leasedTo: other })).toMatch(`is leased to ${other}`);
  // None of these has spent it.
  expect(outcome(attempts, token, { ipv4, mac, leasedTo: mac })).toBe('10eff964');
  expect(outcome(attempts, token, { ipv4, mac })).toMatch('was shown a second time');
  expect(outcome(attempts, '0'.repeat(32), { ipv4, mac })).toMatch('did not give');
});

test('another boot of a machine ends the one before, and its token', () => {
  const attempts = new Attempts(new ManualClock());
  const first = attempts.open(boot);
  const second = attempts.open({ ...boot, ipv4: '10.11.0.9' as Ipv4 });
  expect(attempts.get(first.id)).toBeUndefined();
  expect(attempts.at(ipv4)).toBeUndefined();
  expect(outcome(attempts, first.token, { ipv4, mac })).toMatch('did not give');
  expect(attempts.at(second.ipv4)).toBe(second);
  expect(second.token).not.toBe(first.token);
});

test('a boot is under way for two minutes, and forgotten after twenty', async () => {
  const clock = new ManualClock();
  const attempts = new Attempts(clock);
  const attempt = attempts.open(boot);
  expect(attempts.underWay(boot.machine)).toBe(attempt);
  await clock.pass(121_000);
  expect(attempts.underWay(boot.machine)).toBeUndefined();
  expect(attempts.get(attempt.id)).toBe(attempt);
  await clock.pass(20 * 60_000);
  attempts.open({ ...boot, machine: '00000001' as MachineId, ipv4: '10.11.0.8' as Ipv4 });
  expect(attempts.get(attempt.id)).toBeUndefined();
});
