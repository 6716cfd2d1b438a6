/** A member that host0 lists and that gives no answer is a finding, and one that has just ended is none. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { board, manage, member } from '../../../test/kit/networks.ts';
import { portLink } from '../../../test/kit/trace-cluster.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Link } from '../../kernel/rtnl/objects.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Member } from '../../model/network/member.ts';
import { MemberWatch } from './member-watch.ts';

const nodes = Array.from({ length: 30 }, (_, index) =>
  member(manage, board(index + 1), `10.11.0.${index + 2}`, `node${index + 1}`),
);
const host0 = member(manage, 'host0', '10.11.0.1', 'host0');

const eth0 = portLink(2, 'eth0');

function kernelWith(nic: Link): KernelTables {
  const address = { family: 4, link: 2, address: '10.11.0.2' as Ipv4, length: 24, scope: 'global' } as const;
  return KernelTables.of({
    links: [nic],
    addresses: [{ ...address, tentative: false, nodad: false, protocol: 0 }],
    neighbours: [],
    fdb: [],
    routes: [],
  });
}

function watched(members: readonly Member[]) {
  const clock = new ManualClock();
  const state = { members, host0Answers: true, silent: new Set<Ipv6>(), pings: 0 };
  const source = {
    networks: [manage],
    attachments: () => [{ network: manage, members: state.members, host0Answers: state.host0Answers }],
    host0Stance: () => ({
      role: 'node' as const,
      ipv4: host0.ipv4,
      local: '10.11.0.2' as Ipv4,
      onLink: true,
      reachable: [],
      segments: ['10.11.0.0/24' as Ipv4Cidr],
    }),
  };
  const echo = async (to: Ipv6) => {
    state.pings++;
    return state.silent.has(to) ? undefined : 0.1;
  };
  const agent = { source, cache: kernelWith(eth0), input: { machine: board(1), clock, echo } };
  const watch = new MemberWatch(agent);
  watch.start();
  return { clock, agent, state, told: () => watch.health().map(({ message }) => message) };
}

test('a listed member that does not answer, until it does', async () => {
  const [node1, node2, node3] = nodes as [Member, Member, Member];
  const { clock, state, told, agent } = watched([host0, node1, node2, node3]);
  await clock.pass(60_000);
  expect(told()).toEqual([]);
  state.silent.add(node2.ipv6);
  await clock.pass(10_000);
  // It may have ended a moment ago.
  expect(told()).toEqual([]);
  await clock.pass(20_000);
  expect(told()).toEqual(['host0 lists node2 (10.11.0.3) in manage, and this node gets no answer from there']);
  agent.cache = kernelWith({ ...eth0, up: false });
  expect(told()).toEqual([]);
  agent.cache = kernelWith(eth0);
  state.silent.clear();
  await clock.pass(5_000);
  expect(told()).toEqual([]);
});

test('a member that has left, and all members while host0 is silent', async () => {
  const [node1, node2] = nodes as [Member, Member];
  const { clock, state, told } = watched([host0, node1, node2]);
  state.silent.add(node2.ipv6);
  await clock.pass(40_000);
  expect(told()).toHaveLength(1);
  state.host0Answers = false;
  expect(told()).toEqual([]);
  state.host0Answers = true;
  state.members = [host0, node1];
  expect(told()).toEqual([]);
});

test('each member is pinged once a minute', async () => {
  const { clock, state, told } = watched([host0, ...nodes]);
  await clock.pass(60_000);
  expect(state.pings).toBeGreaterThanOrEqual(nodes.length - 1);
  expect(state.pings).toBeLessThanOrEqual(2 * nodes.length);
  for (const { ipv6 } of nodes.slice(1)) state.silent.add(ipv6);
  await clock.pass(120_000);
  expect(told()).toEqual([expect.stringContaining('node5 (10.11.0.6) and 25 more in manage')]);
});
