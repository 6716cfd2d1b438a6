/** What a node reports to host0, and how it waits while its channel does not stand. */
import { setImmediate as runEventLoop } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { board, manage } from '../../../test/kit/networks.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { SelfReport, SelfReportAnswer } from '../../protocol/documents/membership.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { MembershipClient } from './membership-client.ts';

const ACCEPTED: SelfReportAnswer = { accepted: true, version: { epoch: 'e', revision: 1 }, segments: [] };
const AWAITED: SelfReportAnswer = {
  accepted: false,
  error: { code: 'MESH_MEMBER_UNPROVEN', message: 'the channel does not stand', retryable: true },
};

/** A node, and what host0 answers to each of its reports. */
function node() {
  const clock = new ManualClock();
  const bodies: string[] = [];
  const host0 = { answer: ACCEPTED };
  const client = new MembershipClient({
    network: manage,
    machine: board(1),
    name: 'node1',
    instance: 'boot-1',
    clock,
    journal: new Journal(clock, 'agent', 'node1'),
    echo: async () => 1,
    transport: {
      exchange: async (_target, { body = '' }) => {
        bodies.push(body);
        return { status: 200, body: JSON.stringify(host0.answer) };
      },
      openStream: () => ({ close: () => undefined }),
    },
    local: () => '10.11.0.2' as Ipv4,
    state: () => ({ phase: 'ready' }),
    meshes: () => 1,
    forgetHost0: async () => undefined,
    onChange: () => undefined,
  });
  return { clock, bodies, host0, client };
}

test('a report has no token, no nonce and no proof', async () => {
  const { bodies, client } = node();
  client.start();
  await runEventLoop();
  await client.stop(true);
  expect(bodies.map((body) => Object.keys(JSON.parse(body) as SelfReport))).toEqual([
    ['machine', 'name', 'instance', 'ipv4', 'state'],
    ['machine', 'name', 'instance', 'ipv4', 'leaving', 'state'],
  ]);
});

test('a node whose channel does not stand asks soon, then once a second, and is in when the channel stands', async () => {
  const { clock, bodies, host0, client } = node();
  host0.answer = AWAITED;
  client.start();
  await clock.pass(1_000);
  const soon = bodies.length;
  expect(soon).toBeGreaterThan(2);
  await clock.pass(10_000);
  expect(bodies.length - soon).toBeLessThanOrEqual(11);
  expect(client.error?.code).toBe('MESH_MEMBER_UNPROVEN');
  host0.answer = ACCEPTED;
  await clock.pass(1_000);
  expect(client.error).toBeUndefined();
  await client.stop(false);
});
