/** On real kernels: the settings of a network's bridge are there, are put right, and change without a lost packet. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside, ip } from '../../../../test/kit/namespaces.ts';
import { networkOfType, vxlanType } from '../../../../test/kit/networks.ts';
import { assignedPair, PlannedPair } from '../../../../test/kit/planned-pair.ts';
import { Pings } from '../../../../test/system/pings.ts';
import { parseIpv6 } from '../../../model/address/ipv6.ts';
import { parseMac } from '../../../model/address/mac.ts';
import type { Bridge } from '../../../model/network/bridge.ts';
import type { Network } from '../../../model/network/network.ts';

/** A root tells its delay every two seconds. */
const DEADLINE_MS = 30_000;
/** Four namespaces and two kernels take half a second on a quiet machine. */
const SET_UP_DEADLINE_MS = 30_000;
const NUMBER = 0xff01;

let pair: PlannedPair;

beforeEach(async () => {
  pair = await PlannedPair.open();
}, SET_UP_DEADLINE_MS);

afterEach(async () => {
  await pair[Symbol.asyncDispose]();
});

const plain = networkOfType(NUMBER, vxlanType(NUMBER), { kind: 'assigned' });

function withBridge(bridge: Partial<Bridge>): Network {
  return {
    ...plain,
    bridge: { ...plain.bridge, name: 'brff01', stp: false, forwardDelaySec: 0, macTable: 'learned', ...bridge },
  };
}

/** The settings of a device of the first host, as `ip` shows them. */
function settings(device: string) {
  const [link] = JSON.parse(inside(pair.hosts.here, 'ip', '-j', '-d', 'link', 'show', device));
  return { ifindex: link.ifindex, mac: link.address, ...link.linkinfo.info_data, port: link.linkinfo.info_slave_data };
}

const shows = (device: string, wanted: object) =>
  expect.poll(() => settings(device), { timeout: DEADLINE_MS }).toMatchObject(wanted);
const take = (network: Network) => pair.take(assignedPair(network));

test('a spanning tree is switched on and off in place, and put right', async () => {
  await take(plain);
  await pair.guestsReachEachOther();
  const before = settings('brff01');
  expect(before.stp_state).toBe(0);

  await take(withBridge({ stp: true, forwardDelaySec: 3 }));
  await shows('brff01', { ifindex: before.ifindex, stp_state: 1, forward_delay: 300 });
  await pair.guestsReachEachOther();
  expect(pair.nodes[0]?.lines).toContainEqual(
    expect.stringMatching(/type bridge .* forward_delay 300 && ip link set brff01 type bridge stp_state 1$/),
  );
  ip(pair.hosts.here, 'link set brff01 type bridge stp_state 0 forward_delay 900');
  await pair.nodes[0]?.settled();
  await shows('brff01', { stp_state: 1, forward_delay: 300 });

  // Linux waits for two seconds at least.
  await take(withBridge({ stp: true }));
  // A bridge that is not the root shows the delay of the root, when the root has told.
  await shows('brff01', { stp_state: 1, forward_delay: 200 });
  await take(plain);
  expect(settings('brff01')).toMatchObject({ ifindex: before.ifindex, stp_state: 0 });
  await pair.guestsReachEachOther();
});

test('a managed MAC table learns from no port, and guests still reach each other', async () => {
  await take(withBridge({ macTable: 'managed' }));
  await pair.guestsReachEachOther();
  expect(settings('vxlanff01')).toMatchObject({ learning: false, port: { learning: false } });
  expect(settings('tap0').port.learning).toBe(false);
  const guest = JSON.parse(inside(pair.guests[0]?.path ?? '', 'ip', '-j', 'link', 'show', 'eth0'))[0].address;
  const entries = () => inside(pair.hosts.here, 'bridge', 'fdb', 'show', 'br', 'brff01');
  expect(entries()).not.toContain(guest);
  // The entries that Meshwork writes are there.
  expect(entries()).toMatch(/dev vxlanff01 .*extern_learn/);

  ip(
    pair.hosts.here,
    'link set tap0 type bridge_slave learning on',
    'link set vxlanff01 type bridge_slave learning on',
  );
  await pair.nodes[0]?.settled();
  expect(settings('tap0').port.learning).toBe(false);
  expect(settings('vxlanff01').port.learning).toBe(false);

  await take(plain);
  await pair.guestsReachEachOther();
  expect(settings('tap0').port.learning).toBe(true);
  expect(settings('vxlanff01')).toMatchObject({ learning: true, port: { learning: true } });
  expect(entries()).toContain(guest);
});

test('all bridges of a network have the Ethernet address that the network gives', async () => {
  const mac = parseMac('02:00:5e:00:01:01');
  await take(withBridge({ mac }));
  await pair.guestsReachEachOther();
  expect(settings('brff01').mac).toBe(mac);
  expect(inside(pair.hosts.there, 'ip', '-j', 'link', 'show', 'brff01')).toContain(mac);
  ip(pair.hosts.here, 'link set brff01 address 02:00:00:00:00:77');
  await pair.nodes[0]?.settled();
  expect(settings('brff01').mac).toBe(mac);
});

test('MTU, description, hop limit, learning and MAC table change without a lost ping, on the same devices', async () => {
  await take(plain);
  await pair.guestsReachEachOther();
  const indexes = () => ['brff01', 'vxlanff01'].map((device) => settings(device).ifindex);
  const before = indexes();
  using pings = await Pings.start(pair.guests[0]?.path ?? '', parseIpv6('fd07::2'), 1);
  const type = (more: object) => ({ ...plain, type: vxlanType(NUMBER, more) });
  for (const network of [
    { ...plain, mtuBytes: 1_380 },
    { ...plain, description: 'for tests' },
    type({ hopLimit: 9 }),
    type({ learning: false }),
    withBridge({ macTable: 'managed' }),
    withBridge({ forwardDelaySec: 5 }),
    plain,
  ]) {
    await take(network);
  }
  expect(await pings.lost()).toBe('');
  expect(indexes()).toEqual(before);
});
