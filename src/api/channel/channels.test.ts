/** Channels between host0 and nodes: real TLS and HTTP/2 over loopback. */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { ChannelHost, ChannelNode, EMPTY_STATUS } from '../../../test/kit/channel-pair.ts';
import { manage } from '../../../test/kit/networks.ts';
import { parseMachineId } from '../../model/machine.ts';
import { attachmentDigest, type NodeAssignment } from '../../protocol/documents/node-assignment.ts';

const machine = parseMachineId('10eff964');
const identity = `${machine}.1`;

function assignment(revision: number): NodeAssignment {
  return {
    format: 1,
    epoch: '0123456789abcdef',
    revision,
    attachments: [{ network: manage, reasons: ['pinned'], peers: { kind: 'none' }, services: [] }],
    ports: [],
    workloads: [],
    segments: [],
    nics: [],
  };
}

test('a node opens its channel, is given its assignment, and tells its status', async () => {
  const host = await ChannelHost.open();
  const psk = randomBytes(32);
  host.keys.set(identity, psk);
  host.assign(assignment(1), machine);
  const node = new ChannelNode(host.port, { identity, psk });
  await expect.poll(() => node.taken).toHaveLength(1);
  expect(node.taken[0]).toEqual(assignment(1));
  expect(node.channel.view).toEqual({ state: 'standing', ageSec: 0 });
  expect(host.channels.viewOf(machine)).toEqual({ state: 'standing', ageSec: 0 });
  expect(host.channels.statusOf(machine)).toEqual(EMPTY_STATUS);
  expect(host.used).toEqual([identity]);
  expect([host.channels.health(), node.channel.health(), host.refused]).toEqual([[], [], []]);
});

test('what a node has is only named', async () => {
  const host = await ChannelHost.open();
  const psk = randomBytes(32);
  host.keys.set(identity, psk);
  host.assign(assignment(1), machine);
  const [attachment] = assignment(1).attachments;
  const digest = attachmentDigest(attachment ?? {});
  const node = new ChannelNode(host.port, { identity, psk });
  node.status = { ...EMPTY_STATUS, format: 9, digests: { [manage.id]: digest } };
  await expect.poll(() => node.taken).toHaveLength(1);
  expect(node.taken[0]).toEqual({ ...assignment(1), attachments: [{ network: manage.id, digest }] });
  host.assign(assignment(2), machine);
  await expect.poll(() => node.taken).toHaveLength(2);
  expect(node.taken[1]).toMatchObject({ revision: 2, attachments: [{ network: manage.id, digest }] });
});

test('a node connects again when host0 is back', async () => {
  const host = await ChannelHost.open();
  const psk = randomBytes(32);
  host.keys.set(identity, psk);
  const node = new ChannelNode(host.port, { identity, psk });
  await expect.poll(() => host.channels.size).toBe(1);
  host.close();
  await expect.poll(() => node.channel.stands).toBe(false);
  const again = await ChannelHost.open({ port: host.port });
  again.keys.set(identity, psk);
  await expect.poll(() => again.channels.size).toBe(1);
  await expect.poll(() => node.channel.opened).toBe(2);
});
