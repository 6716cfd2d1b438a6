/** Attacks on channels with host0's real keys and real TLS: refused, told on both ends, and without harm to the right node. */
import { beforeEach, expect, test } from 'vitest';
import { ChannelHost, ChannelNode } from '../../../test/kit/channel-pair.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { MachineKeys } from '../../controller/machines/machine-keys.ts';
import { systemClock } from '../../model/clock.ts';
import { parseMachineId } from '../../model/machine.ts';
import { channelPsk, KEY_BYTES } from '../../model/machine-key.ts';
import type { ChannelKey } from '../../protocol/channel/channel-tls.ts';
import { Journal } from '../../protocol/journal/journal.ts';

const [ONE, TWO] = [parseMachineId('10eff964'), parseMachineId('2b1c0d3e')];
const SECRET = Buffer.alloc(KEY_BYTES, 9);
let keys: MachineKeys;
let host: ChannelHost;

beforeEach(async () => {
  await serve(new MemoryStore());
});

async function serve(store: MemoryStore): Promise<void> {
  keys = await MachineKeys.open({ store, secret: SECRET, journal: new Journal(systemClock, 'host0', 'host0') });
  host = await ChannelHost.open({ ownKeys: keys });
  const { channels } = host;
  keys.revocations.subscribe((machine) => channels.drop(machine));
}

/** The key of the machine's next boot, as the machine has it. */
async function boot(machine = ONE): Promise<ChannelKey> {
  const named = await keys.offer(machine);
  if (named === undefined) throw new Error('no key');
  return { identity: named.identity, psk: channelPsk(named.key) };
}

/** A node that has its channel. */
async function standing(key: ChannelKey): Promise<ChannelNode> {
  const node = new ChannelNode(host.port, key);
  await expect.poll(() => node.channel.stands, PATIENCE).toBe(true);
  await expect.poll(() => host.channels.statusOf(machineOf(key)), PATIENCE).toBeDefined();
  return node;
}

/** An attacker, once host0 has refused it for this reason; told on both ends. */
async function refused(key: ChannelKey, refusal: string, code: string): Promise<ChannelNode> {
  const attacker = new ChannelNode(host.port, key);
  await expect.poll(() => host.refused, PATIENCE).toContain(refusal);
  await expect.poll(() => attacker.channel.health().map((finding) => finding.code), PATIENCE).toEqual([code]);
  expect(host.channels.health()).toMatchObject([{ code, object: machineOf(key) }]);
  expect(host.events.filter(({ kind }) => kind === 'channel refused')).toMatchObject([{ code }]);
  expect(attacker.channel.stands).toBe(false);
  return attacker;
}

const machineOf = ({ identity }: ChannelKey) => parseMachineId(identity.split('.')[0] ?? '');

/** The node can open its channel again. */
async function comesBack(node: ChannelNode, key: ChannelKey): Promise<void> {
  node.channel.close();
  await expect.poll(() => host.channels.size, PATIENCE).toBe(0);
  const again = await standing(key);
  again.channel.close();
}

test('another machine’s key is none for this machine', async () => {
  const [own, others] = [await boot(ONE), await boot(TWO)];
  const node = await standing(own);
  await refused({ identity: own.identity, psk: others.psk }, 'different key', 'MESH_CHANNEL_KEY_DIFFERS');
  expect(node.channel.stands).toBe(true);
});

test('an old generation is refused after a later one was used', async () => {
  const old = await boot();
  const present = await boot();
  const node = await standing(present);
  await refused(old, 'unknown key', 'MESH_CHANNEL_KEY_UNKNOWN');
  expect(host.channels.health()[0]?.message).toContain(`the key ${ONE}.1 is older than ${ONE}.2, which was used since`);
  expect(node.channel.stands).toBe(true);
});

test('a revoked key ends its channel at once, and opens none', async () => {
  const key = await boot();
  const node = await standing(key);
  await keys.revoke(ONE);
  await expect
    .poll(() => node.channel.health().map(({ code }) => code), PATIENCE)
    .toEqual(['MESH_CHANNEL_KEY_UNKNOWN']);
  expect(host.channels.health()[0]?.message).toContain(`the key ${ONE}.1 was revoked`);
  expect(host.channels.size).toBe(0);
  expect(node.channel.opened).toBe(1);
  await standing(await boot());
});

test('a key that is revoked during the handshake opens no channel', async () => {
  const key = await boot();
  let asked = 0;
  const isGood = () => asked++ === 0;
  host = await ChannelHost.open({
    ownKeys: {
      pskOf: (identity) => (isGood() ? keys.pskOf(identity) : undefined),
      used: (identity) => keys.used(identity),
    },
  });
  const node = await refused(key, 'unknown key', 'MESH_CHANNEL_KEY_UNKNOWN');
  expect([host.channels.size, node.channel.opened]).toEqual([0, 0]);
});

test('a cloned disk gets no channel while the first machine answers, and changes nothing for it', async () => {
  const key = await boot();
  const node = await standing(key);
  const clone = await refused(key, 'second', 'MESH_MEMBER_DOUBLE');
  expect([node.channel.stands, node.channel.opened, host.channels.size]).toEqual([true, 1, 1]);
  node.channel.close();
  // The key itself is good: only the first machine was in its way.
  await expect.poll(() => clone.channel.stands, PATIENCE).toBe(true);
});

test('a forged boot that uses no key locks the running node out never', async () => {
  const key = await boot();
  const node = await standing(key);
  for (let forged = 0; forged < 50; forged++) await boot();
  await comesBack(node, key);
});

test('a forged boot that uses its key is a second machine while the right one answers, and ends no key', async () => {
  const key = await boot();
  const node = await standing(key);
  const forger = await refused(await boot(), 'second', 'MESH_MEMBER_DOUBLE');
  expect([node.channel.stands, node.channel.opened]).toEqual([true, 1]);
  forger.channel.close();
  await comesBack(node, key);
});

test('a store that was emptied stops no node', async () => {
  const key = await boot();
  const node = await standing(key);
  node.channel.close();
  host.close();
  await serve(new MemoryStore());
  await standing(key);
});

test('with another installation secret no key is good', async () => {
  const key = await boot();
  await refused({ ...key, psk: channelPsk(Buffer.alloc(KEY_BYTES)) }, 'different key', 'MESH_CHANNEL_KEY_DIFFERS');
});
