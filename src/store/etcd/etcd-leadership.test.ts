/** One host0 at a time changes a store in etcd, also when clocks stand still. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { EtcdCluster, type EtcdMember } from '../../../test/kit/etcd.ts';
import { HASTY_CLOCK } from '../../../test/kit/hasty-clock.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { systemClock } from '../../model/clock.ts';
import type { MeshError } from '../../model/error.ts';
import { EtcdStore } from './etcd-store.ts';

let cluster: EtcdCluster;
let member: EtcdMember;
beforeAll(async () => {
  cluster = await EtcdCluster.single();
  member = cluster.members[0] as EtcdMember;
});
afterAll(() => cluster.close());

/** A clock that can stand still, as that of a process which is stopped. */
class StoppableClock implements Clock {
  isStopped = false;
  nowMs = () => systemClock.nowMs();
  wallTime = () => systemClock.wallTime();
  after(delayMs: number, ring: () => void): Alarm {
    return systemClock.after(delayMs, () => !this.isStopped && ring());
  }
}

/** A host0 with its store. */
async function host0(owner: string, clock: Clock = systemClock) {
  const store = await EtcdStore.open(cluster.place, { clock });
  onTestFinished(() => store.close());
  const losses: MeshError[] = [];
  const lead = () => store.lead({ owner, name: `name of ${owner}`, onLost: (error) => losses.push(error) });
  return { store, lead, losses };
}

const LED = { code: 'MESH_STORE_LED' };
const write = (store: EtcdStore, value: string) => store.txn([], [{ put: '/v1/a', value }]);
async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('a second host0 is refused while the first one lives, and leads at once when that has ended', async () => {
  const first = await host0('one');
  await first.lead();
  expect(member.ctl('get', '/v1/store/leader', '--print-value-only').stdout).toContain('name of one');
  const second = await host0('two', HASTY_CLOCK);
  await expect(second.lead()).rejects.toMatchObject({ ...LED, message: expect.stringContaining('name of one') });
  expect((await write(first.store, '1')).succeeded).toBe(true);
  await first.store.close();
  await second.lead();
  expect((await write(second.store, '2')).succeeded).toBe(true);
});

test('a host0 that is killed is followed when its lease has ended; its next life need not wait', async () => {
  const clock = new StoppableClock();
  const first = await host0('one', clock);
  await first.lead();
  clock.isStopped = true;
  const again = await host0('one');
  await again.lead();
  expect((await write(again.store, '1')).succeeded).toBe(true);
  await expect(write(first.store, 'stale')).rejects.toMatchObject(LED);
});

test('a leader whose clock stood still changes nothing when another has followed it, and is told', async () => {
  const clock = new StoppableClock();
  const first = await host0('one', clock);
  await first.lead();
  clock.isStopped = true;
  const second = await host0('two');
  await second.lead();
  await write(second.store, 'new');
  await expect(write(first.store, 'stale')).rejects.toMatchObject(LED);
  expect(first.losses).toMatchObject([LED]);
  expect((await second.store.get('/v1/a'))?.value).toBe('new');
});

test('a leader whose lease has ended goes on if nobody has followed it', async () => {
  const first = await host0('one');
  await first.lead();
  const leaseOf = () => /"lease":(\d+)/.exec(member.ctl('get', '/v1/store/leader', '-w=json').stdout)?.[1];
  const lease = leaseOf() ?? '';
  member.ctl('lease', 'revoke', BigInt(lease).toString(16));
  expect((await write(first.store, '1')).succeeded).toBe(true);
  await until(() => ![undefined, lease].includes(leaseOf()));
  expect(first.losses).toEqual([]);
});

/** A host0 among several. */
async function rival(owner: string, clock: Clock = systemClock) {
  const store = await EtcdStore.open(cluster.place, { clock });
  onTestFinished(() => store.close());
  const losses: MeshError[] = [];
  const seen: (string | undefined)[] = [];
  let mayLead = true;
  const rivalry = {
    mayLead: async (leader: string | undefined) => {
      seen.push(leader);
      return mayLead;
    },
  };
  const leads = store.lead({ owner, name: `name of ${owner}`, onLost: (error) => losses.push(error), rivalry });
  const setMayLead = (may: boolean) => {
    mayLead = may;
  };
  return { store, leads, losses, seen, setMayLead };
}

test('of several host0s, one waits for the end of the other however long that takes', async () => {
  const first = await rival('one');
  await first.leads;
  const second = await rival('two');
  await until(() => second.seen.length > 3);
  expect(new Set(second.seen)).toEqual(new Set(['name of one']));
  second.setMayLead(false);
  await first.store.close();
  const { length } = second.seen;
  await until(() => second.seen.length > length + 2 && second.seen.at(-1) === undefined);
  expect(member.ctl('get', '/v1/store/leader', '--print-value-only').stdout).not.toContain('name of two');
  second.setMayLead(true);
  await second.leads;
  expect((await write(second.store, '1')).succeeded).toBe(true);
});

test('a leader among several that hears nothing of etcd stops before its lease ends', async () => {
  const first = await rival('one');
  await first.leads;
  await member.kill();
  await until(() => first.losses.length > 0);
  expect(first.losses).toMatchObject([{ ...LED, message: expect.stringContaining('did not renew the lease') }]);
  expect(first.losses[0]?.remedy).toContain('Look at etcd');
  member.start();
  await member.answers();
});
