/** How a node proves to host0 that it has its token. */
import { setImmediate as runEventLoop } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { board, manage } from '../../../test/kit/networks.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { memberAddresses } from '../../model/network/member.ts';
import { proofOf, type SelfReport, type SelfReportAnswer } from '../../protocol/documents/membership.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { MembershipClient } from './membership-client.ts';

const TOKEN = 'ab'.repeat(32);
const [FIRST, SECOND] = ['1'.repeat(32), '2'.repeat(32)];

/** A node whose host0 takes proofs over the nonce `host0.nonce`, and no other report. */
function node(token?: string) {
  const clock = new ManualClock();
  const bodies: string[] = [];
  const host0 = { nonce: FIRST };
  const machine = board(1);
  const { bridgeMac: mac, ipv6 } = memberAddresses(manage, machine);
  const answerTo = (report: SelfReport): SelfReportAnswer => {
    const { nonce } = host0;
    if (token === undefined) return { accepted: true, version: { epoch: 'e', revision: 1 }, segments: [] };
    const good = report.nonce === nonce && proofOf(token, nonce, { ...report, network: manage.id, mac, ipv6 });
    return good !== false && good === report.proof
      ? { accepted: true, version: { epoch: 'e', revision: 1 }, segments: [], nonce }
      : { accepted: false, error: { code: 'MESH_MEMBER_UNPROVEN', message: '', retryable: true }, nonce };
  };
  const client = new MembershipClient({
    network: manage,
    machine,
    name: 'node1',
    instance: 'boot-1',
    ...(token !== undefined && { token }),
    clock,
    journal: new Journal(clock, 'agent', 'node1'),
    echo: async () => 1,
    transport: {
      exchange: async (_target, { body = '' }) => {
        bodies.push(body);
        return { status: 200, body: JSON.stringify(answerTo(JSON.parse(body) as SelfReport)) };
      },
      openStream: () => ({ close: () => undefined }),
    },
    local: () => '10.11.0.2' as Ipv4,
    state: () => ({ phase: 'ready' }),
    forgetHost0: async () => undefined,
    onChange: () => undefined,
  });
  return { clock, bodies, host0, client };
}

test('the first report is refused with a nonce, and the proof follows at once', async () => {
  const { bodies, client } = node(TOKEN);
  client.start();
  await runEventLoop();
  expect(bodies.map((body) => (JSON.parse(body) as SelfReport).nonce)).toEqual(['', FIRST]);
  expect(client.error).toBeUndefined();
  await client.stop(true);
  expect(JSON.parse(bodies.at(-1) ?? '')).toMatchObject({ leaving: true, nonce: FIRST });
  expect(bodies.join()).not.toContain(TOKEN);
});

test('a report with an old nonce is repeated with the new one, once', async () => {
  const { clock, bodies, host0, client } = node(TOKEN);
  client.start();
  await clock.pass(3_000);
  const before = bodies.length;
  host0.nonce = SECOND;
  await clock.pass(3_000);
  expect(bodies.slice(before).map((body) => (JSON.parse(body) as SelfReport).nonce)).toEqual([FIRST, SECOND]);
  expect(client.error).toBeUndefined();
  await client.stop(false);
});

test('a node without a token sends no nonce and no proof', async () => {
  const { bodies, client } = node();
  client.start();
  await runEventLoop();
  expect(Object.keys(JSON.parse(bodies[0] ?? '') as SelfReport)).toEqual([
    'machine',
    'name',
    'instance',
    'ipv4',
    'state',
  ]);
  await client.stop(false);
});
