/** Virtual machines on two nodes of a lab: started by host0's command, in networks that are made where they are, found again after faults. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { isRunning } from '../../../src/services/process/process-mark.ts';
import { LONG } from '../../kit/long.ts';
import { noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { until } from '../until.ts';
import {
  CARDS,
  cardOf,
  emulatorsOn,
  GUESTS,
  GuestPair,
  guestEntries,
  guestLinks,
  KNOWN_MS,
  other,
} from './guest-pair.ts';

const shared = forAllTests();
let pair: GuestPair;

beforeAll(async () => {
  pair = shared.use(await GuestPair.up(`guests-${process.pid}`));
}, 300_000);

const both = () => Promise.all(GUESTS.map((name) => pair.running(name)));

/** What emulators of a node have left. */
function restsOn({ root }: LabHost): readonly string[] {
  const paths = pathsBelow(root);
  const directories = [join(paths.run, 'vm'), join(paths.state, 'workloads'), join(root, 'run/pxen')];
  return directories.flatMap((directory) => (existsSync(directory) ? readdirSync(directory) : []));
}

test('a guest on each of two nodes: the networks are made where they are, and they reach each other in each', async () => {
  for (const name of GUESTS) {
    const node = pair.nodeOf(name);
    expect(guestLinks(node)).toEqual([]);
    await pair.start(node, pair.workloadOf(name));
  }
  await both();
  for (const name of GUESTS) {
    for (const card of CARDS) {
      // An answer proves the other guest's address; lines of its own about them may be torn by those of its pings.
      const there = cardOf(other(name), card);
      for (const address of [there.ipv4, `${there.linkLocal}%${card.device}`]) {
        await pair.hears(name, `guest: ${address} answers`);
      }
    }
    const tap = expect.stringMatching(/^v[0-9a-f]+$/);
    expect(guestLinks(pair.nodeOf(name))).toEqual(['br1001', 'br1002', tap, tap, tap, 'vxlan1001', 'vxlan1002']);
    const { run } = await pair.viewOf(name);
    expect(run).toMatchObject({ accelerator: expect.stringMatching(/^(kvm|tcg)$/) });
  }
  await pair.countEchoes();
}, 240_000);

const AGENTS = ['node1', 'node2'] as const;

const ONE_BY_ONE = [
  ['the agents of both nodes', { host0: [], agents: AGENTS }],
  ['host0', { host0: ['host0'], agents: [] }],
] as const;

test.each([
  // After all at once, each has what it needs after its own death, too.
  ...(LONG ? ONE_BY_ONE : []),
  ['host0 and all agents', { host0: ['host0'], agents: ['host0', ...AGENTS] }],
] as const)(
  'kill -9 of %s: the guests go on without losing a ping, and are found again',
  async (_, { host0, agents }) => {
    const before = await both();
    const daemons = [
      ...host0.map((name) => [pair.lab.host(name), 'host0'] as const),
      ...agents.map((name) => [pair.lab.host(name), 'agent'] as const),
    ];
    for (const [host, daemon] of daemons) await pair.lab.stop(host, daemon, 'SIGKILL');
    for (const [host, daemon] of daemons) pair.lab.start(host, daemon);
    await pair.lab.ready({ deadlineMs: KNOWN_MS });
    expect(await both()).toEqual(before);
    await pair.pingsGoOn();
    expect(await pair.lostEchoes()).toEqual({ one: 0, two: 0 });
    await noDrift(pair.lab.hosts);
  },
  240_000,
);

test('a killed emulator starts again by its policy, and the guest is reached again', async () => {
  const mark = await pair.running('one');
  const heard = (await pair.consoleOf('one')).split('guest: ready').length - 1;
  process.kill(mark.pid, 'SIGKILL');
  const again = await pair.running('one', 1);
  expect(again.pid).not.toBe(mark.pid);
  await pair.hears('one', 'guest: ready', heard);
  await pair.pingsGoOn();
}, 240_000);

test('a node that reboots starts the guest that should run, and none that is stopped, has ended, or was deleted meanwhile', async () => {
  const node = pair.nodeOf('two');
  for (const name of ['still', 'done', 'gone']) {
    await pair.start(node, pair.idle(name, { restart: name === 'done' ? 'never' : 'on-failure' }));
  }
  const marks = await Promise.all(['still', 'done', 'gone'].map((name) => pair.running(name)));
  await pair.client.ask('POST /v1/workloads/{name}/stop', { path: { name: 'still' } });
  await pair.hasState('still', 'stopping');
  // Their firmware hears no power button.
  for (const { pid } of marks.slice(0, 2)) process.kill(pid, 'SIGKILL');
  await pair.hasState('still', 'stopped');
  await pair.hasState('done', 'failed');
  await pair.reboot(node, async () => {
    await pair.hasState('gone', 'lost');
    await pair.mesh('workload', 'delete', '-w', 'gone', '--force');
  });
  const mark = await pair.running('two');
  await pair.pingsGoOn();
  await pair.hasState('still', 'stopped');
  await pair.hasState('done', 'failed');
  expect(emulatorsOn(node)).toEqual([mark.pid]);
  await noDrift(pair.lab.hosts);
  for (const name of ['still', 'done']) await pair.mesh('workload', 'delete', '-w', name);
}, 240_000);

test('a guest that is stopped switches itself off; what is deleted leaves nothing', async () => {
  // The first one was killed once.
  const marks = [await pair.running('one', 1), await pair.running('two')];
  await pair.mesh('workload', 'stop', '-w', 'one');
  await pair.hasState('one', 'stopped');
  await pair.mesh('workload', 'delete', '-w', 'one');
  await pair.mesh('workload', 'delete', '-w', 'two', '--force');
  for (const host of pair.lab.hosts) {
    const left = () => [...guestLinks(host), ...guestEntries(host)];
    await until(`nothing is left on ${host.name}`, KNOWN_MS, () => left().length === 0).catch((cause) => {
      throw new Error(`${cause}: ${left().join('\n')}`, { cause });
    });
    // The emulator of the other one is ended first, and its links are gone before its files.
    await until(`no file is left on ${host.name}`, KNOWN_MS, () => restsOn(host).length === 0).catch((cause) => {
      throw new Error(`${cause}: ${restsOn(host).join(' ')}`, { cause });
    });
  }
  await until('both emulators have ended', KNOWN_MS, () => !marks.some(isRunning));
  await noDrift(pair.lab.hosts);
}, 240_000);
