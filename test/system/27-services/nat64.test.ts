/**
 * The ways outside of a network in a lab, by the commands of their pages: an IPv4 host outside reaches a guest by NAT64, the guest reaches
 * that host by NAT44. In the long run both go on when the active router is cut off; that NAT64 goes on when it dies is in 27-orders.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { residentsOf } from '../../../src/lab/cluster/residents.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { missingLine, shownCommands } from '../../cli/console-block.ts';
import { runToEnd } from '../../kit/command.ts';
import { LONG } from '../../kit/long.ts';
import { inside } from '../../kit/namespaces.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { pageOf } from '../typist.ts';
import { until } from '../until.ts';

/** A command waits for one advertisement at most. */
const COMMAND_DEADLINE_MS = 25_000;
/** host0 gives a router up twelve seconds after its last sign of life. */
const TAKEOVER_DEADLINE_MS = 65_000;

/** The address outside that the page has the guest get. */
const MAPPED = '10.11.0.208';
/** The address of host0 outside of the network. */
const HOST0 = '10.11.0.1';
/** The IPv4 address of the guest in its network. */
const INNER = '10.20.0.7';

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let guest: Guest;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `nat64-${process.pid}`, nodes: 3, segments: 1 }));
  host0 = lab.host('host0');
  guest = shared.use(Guest.behind(lab.host('node3'), 'vm1', 'fd99::11'));
  guest.run('ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:10:01');
});

/** Waits until the guest answers an IPv4 host that is in none of its networks. */
async function guestAnswers(deadlineMs: number): Promise<void> {
  await until(`${MAPPED} answers`, deadlineMs, async () => {
    const { code } = await lab.exec(host0, ['ping', '-n', '-c', '1', '-W', '1', MAPPED]);
    return code === 0;
  });
}

/** Waits until the guest has an answer from host0, which is outside of its network. */
async function guestReachesOutside(deadlineMs: number): Promise<void> {
  const ping = ['ping', '-n', '-c', '1', '-W', '1', HOST0];
  await until('host0 answers the guest', deadlineMs, () => runToEnd(ping, { netns: guest.netns }).status === 0);
}

async function typePage(page: string): Promise<void> {
  for (const { text, answer, line } of shownCommands(pageOf(page))) {
    let said = '';
    await until(`${page}:${line}: ${text}`, COMMAND_DEADLINE_MS, async () => {
      const { code, stdout, stderr } = await lab.exec(host0, ['sh', '-c', text]);
      said = stdout + stderr;
      return code === 0 && missingLine(stdout, answer) === undefined;
    }).catch((cause: unknown) => {
      throw new Error(said, { cause });
    });
  }
}

test('by the commands of the page, an IPv4 host outside reaches the guest', async () => {
  await typePage('docs/nat64.md');
  await guestAnswers(COMMAND_DEADLINE_MS);
});

test('by the commands of the page, the guest reaches an IPv4 host outside, which does not reach it', async () => {
  await typePage('docs/nat44.md');
  guest.run('ip', 'address', 'add', `${INNER}/24`, 'dev', 'eth0');
  guest.run('ip', 'route', 'add', 'default', 'via', '10.20.0.1');
  await guestReachesOutside(COMMAND_DEADLINE_MS);
  inside(netnsPath(host0.netns), 'ip', 'route', 'add', '10.20.0.0/24', 'via', '10.11.0.201');
  const { code } = await lab.exec(host0, ['ping', '-n', '-c', '2', '-W', '1', INNER]);
  expect(code).toBe(1);
  inside(netnsPath(host0.netns), 'ip', 'route', 'delete', '10.20.0.0/24', 'via', '10.11.0.201');
});

if (LONG) test('when the active router is cut off, the other one takes over', takesOver);

async function takesOver(): Promise<void> {
  const active = lab.hosts.find(hasTranslator);
  if (active === undefined) throw new Error('no host translates');
  expect(active.name).toMatch(/^node[12]$/);
  inside(netnsPath(active.netns), 'ip', 'link', 'set', 'eth0', 'down');
  await guestAnswers(TAKEOVER_DEADLINE_MS);
  await guestReachesOutside(TAKEOVER_DEADLINE_MS);
  expect(lab.hosts.filter(hasTranslator).map(({ name }) => name)).toContain(
    active.name === 'node1' ? 'node2' : 'node1',
  );
}

/** Whether the translator of a network runs on a host. */
function hasTranslator(host: LabHost): boolean {
  return residentsOf([host.netns], host.root).some(
    ({ pid }) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'tayga',
  );
}
