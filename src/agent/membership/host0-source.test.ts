/** A new snapshot of host0's assignment keeps the objects of the networks and members that have not changed. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { manageWith, memberNumber, mesh, withMtu } from '../../../test/kit/networks.ts';
import { sourceAgent } from '../../../test/kit/source-agent.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Member } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { AssignedUnderlay, Assignment, UnderlayNic } from '../../protocol/documents/assignment.ts';
import { MEMBER_SILENCE_MS } from '../../protocol/documents/membership.ts';
import { Host0Source } from './host0-source.ts';
import type { StreamHandlers, Transport } from './transport.ts';

const SEGMENTS = [{ device: 'eth1', ipv4: '10.11.0.1' as Ipv4, subnet: '10.11.0.0/24' as Ipv4Cidr }];

/** A new object each time, as parsing makes one. */
function guests(): Mesh {
  return mesh('guests', 500);
}

function membersOf(network: Mesh): Member[] {
  return [1, 2, 3].map((number) => memberNumber(network, number));
}

/** host0's agent, and the daemon's end of its stream. */
async function agent() {
  const clock = new ManualClock();
  let handlers: StreamHandlers | undefined;
  const transport: Transport = {
    exchange: async () => ({ status: 204, body: '' }),
    openStream: (_target, _request, its) => {
      handlers = its;
      return { close: () => undefined };
    },
  };
  const source = new Host0Source({ controlSock: 'control.sock', startRemedy: 'Start it.', clock, transport });
  await source.start(sourceAgent());
  const tell = (networks: readonly Mesh[], nics: readonly UnderlayNic[] = []) => {
    const members = Object.fromEntries(networks.map((network) => [network.id, membersOf(network)]));
    const snapshot: Assignment = {
      version: { epoch: 'e', revision: 7 },
      networks,
      members,
      segments: SEGMENTS,
      nics,
    };
    handlers?.onMessage({ event: 'snapshot', data: JSON.stringify(snapshot) });
    handlers?.onHeard?.();
  };
  const tellUnderlay = (underlay: AssignedUnderlay) => {
    handlers?.onMessage({ event: 'underlay', data: JSON.stringify(underlay) });
    handlers?.onHeard?.();
  };
  /** Time passes, and then a chunk of bytes shows that the stream is alive. */
  const pass = async (ms: number) => {
    await clock.pass(ms);
    handlers?.onHeard?.();
  };
  return { source, pass, tell, tellUnderlay };
}

test('a snapshot with the same networks keeps the objects of the networks and members', async () => {
  const { source, tell } = await agent();
  tell([manageWith({}), guests()]);
  const { networks } = source;
  const before = source.attachments();
  tell([manageWith({}), guests()], [{ device: 'eth3' }]);
  expect(source.networks).toBe(networks);
  for (const [i, { network, members }] of source.attachments().entries()) {
    expect(network).toBe(before[i]?.network);
    expect(members).toBe(before[i]?.members);
  }
  expect(source.host0Stance()).toMatchObject({ nics: [{ device: 'eth3' }] });
});

test('a changed underlay comes alone, and keeps the objects of the networks and members', async () => {
  const { source, tell, tellUnderlay } = await agent();
  tell([manageWith({}), guests()]);
  const before = source.attachments();
  tellUnderlay({ segments: [], nics: [{ device: 'eth3' }] });
  expect(source.host0Stance()).toEqual({ role: 'host0', segments: [], nics: [{ device: 'eth3' }] });
  for (const [i, { network, members }] of source.attachments().entries()) {
    expect(network).toBe(before[i]?.network);
    expect(members).toBe(before[i]?.members);
  }
});

test('a changed MTU keeps the members of all networks, and the other networks', async () => {
  const { source, pass, tell } = await agent();
  tell([manageWith({}), guests()]);
  await pass(MEMBER_SILENCE_MS);
  const before = source.attachments();
  tell([withMtu(manageWith({}), 1400), guests()]);
  const [manage, other] = source.attachments();
  expect(manage?.network).toEqual(withMtu(manageWith({}), 1400));
  expect(other?.network).toBe(before[1]?.network);
  expect([manage?.members, other?.members]).toEqual(before.map(({ members }) => members));
  expect(manage?.members).toBe(before[0]?.members);
  expect(source.settled(manageWith({}).id)).toBe(true);
});

test('a mesh that must be joined again starts without its former members', async () => {
  const { source, tell } = await agent();
  tell([manageWith({})]);
  tell([manageWith({ key: '7' })]);
  expect(source.attachments()[0]?.members).toEqual(membersOf(manageWith({ key: '7' })));
});
