/** host0 on segments as they are in the field: a slow switch port, tagged frames, addresses in use, and a rack that wakes up. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addressOption, type DhcpFields, encodeDhcp, OPTION } from '../../../src/boot/frames/dhcp-packet.ts';
import { BROADCAST_IPV4, encodeUdpFrame, NO_IPV4 } from '../../../src/boot/frames/udp-frame.ts';
import { BROADCAST_MAC } from '../../../src/kernel/sockets/ethernet.ts';
import type { Ipv4 } from '../../../src/model/address/ipv4.ts';
import { parseMac } from '../../../src/model/address/mac.ts';
import { framesOn, TAG, tagged } from '../../kit/frames.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { BootBench, type BootHost } from '../80-boot/boot-bench.ts';
import { BootClient } from '../80-boot/boot-client.ts';
import { until } from '../until.ts';

/** The slow port passes nothing for twice the shortest forward delay of a bridge, 2 s. */
const CONF = 'boot="auto"\nsubnet_pool="10.77.0.0/24"\ndefault_subnet_size="26"\nport_settle_sec="7"\n';
const OFFICE = '192.168.44';
const DEADLINE_MS = 60_000;

let bench: BootBench;
let host: BootHost;
let officePc: string;
/** On the quiet segment. */
let machine: string;
let office: { stop(): void };

beforeAll(async () => {
  bench = new BootBench();
  for (const segment of ['slow', 'quiet']) bench.segment(segment);
  office = bench.foreignServer('slow', OFFICE);
  [officePc, machine] = [bench.machine(), bench.machine()];
  bench.plug(officePc, { eth0: 'slow' });
  bench.plug(machine, { eth0: 'quiet' });
  bench.spanningTree('slow');
  const host0 = bench.machine();
  bench.plug(host0, { eth2: 'quiet' });
  host = bench.host0('host0', host0, CONF);
  host.start('host0');
  host.start('agent');
});

afterAll(() => bench.close());

test('a port that just came up: host0 listens first, hears the office server, and a machine is told why it waits', async () => {
  const early = BootClient.on(machine);
  await host.segment('eth2', 'listens', ({ mode, settlesInSec }) => mode === 'observe' && settlesInSec !== undefined);
  // host0 listens on this port from the first moment, in which the port passes nothing.
  bench.plug(host.netns, { eth1: 'slow' });
  early.ask('bios');
  const { trouble } = await until('the machine is told', DEADLINE_MS, async () =>
    (await host.boots()).find(({ mac, trouble: told }) => mac === early.mac && told !== undefined),
  );
  expect(trouble?.cause).toMatch('its port has just come up');
  expect(trouble?.remedy).toMatch('port_settle_sec="0"');
  await host.segment('eth2', 'serves', ({ service }) => service?.state === 'running', DEADLINE_MS);
  await host.segment('eth1', 'is beside the office', ({ mode }) => mode === 'proxy', DEADLINE_MS);
  expect(bench.udhcpc(officePc).serverid).toBe(`${OFFICE}.1`);
  const modes = host.events().filter(({ kind }) => kind === 'boot mode changed');
  expect(modes.map(({ message }) => message.split(':').slice(0, 2).join(':')).sort()).toEqual([
    'eth1: observe → proxy',
    'eth2: observe → server',
  ]);
  early.close();
});

test('a file that loaders do without is no trouble, and the name of another one is told as it came', async () => {
  const client = BootClient.on(machine);
  const [offer] = await client.discover('bios');
  if (offer === undefined) throw new Error('no offer');
  ip(machine, `address add ${offer.yiaddr}/26 dev eth0`);
  for (const file of ['undionly.kpxe', 'autoexec.ipxe', 'undionly.kpxe\xff']) {
    client.readTftp(file, offer.yiaddr, offer.from);
  }
  // dnsmasq answers one after the other: a refusal of the second would have been told before that of the third.
  const { trouble, stages } = await until('the refusal', DEADLINE_MS, async () =>
    (await host.boots()).find(({ mac, trouble: told }) => mac === client.mac && told?.stage === 'tftp'),
  );
  expect(trouble?.cause).toMatch(/^TFTP refused undionly\.kpxe\\xff: error 1 /);
  expect(stages.at(-1)).toMatchObject({ stage: 'tftp', detail: 'undionly.kpxe\\xff' });
  const told = host.events().filter(({ kind, message }) => kind === 'boot stuck' && message.includes('TFTP'));
  expect(told).toHaveLength(1);
  client.close();
});

test('DHCP of a VLAN reaches neither the mode of the native network nor a timeline', async () => {
  const [server, client] = [parseMac('02:00:00:00:20:01'), parseMac('02:00:00:00:20:02')];
  using wire = framesOn(machine, 'eth0');
  const dhcp = (type: number, fields: Pick<DhcpFields, 'op' | 'yiaddr'>, options: DhcpFields['options']) =>
    encodeDhcp({ ...fields, chaddr: client, options: [[OPTION.messageType, Uint8Array.of(type)], ...options] });
  const to = { mac: BROADCAST_MAC, ipv4: BROADCAST_IPV4 };
  const question = encodeUdpFrame({
    from: { mac: client, ipv4: NO_IPV4, port: 68 },
    to: { ...to, port: 67 },
    payload: dhcp(1, { op: 1 }, [[OPTION.vendorClass, Buffer.from('PXEClient:Arch:00007')]]),
  });
  const offer = encodeUdpFrame({
    from: { mac: server, ipv4: '172.20.0.1' as Ipv4, port: 67 },
    to: { ...to, port: 68 },
    payload: dhcp(2, { op: 2, yiaddr: '172.20.0.9' as Ipv4 }, [[OPTION.serverId, Uint8Array.of(172, 20, 0, 1)]]),
  });
  for (const frame of [question, offer]) wire.send(tagged(frame, TAG.customer, 20));
  // A frame without a tag that comes later has been heard.
  const native = BootClient.on(machine);
  await native.discover('efi');
  native.close();
  expect((await host.boots()).map(({ mac }) => mac)).not.toContain(client);
  expect(await host.segment('eth2', 'is there', () => true)).toMatchObject({ mode: 'server', foreignServers: [] });
  // The same question without the tag is of this segment.
  wire.send(question);
  await until('it is heard', DEADLINE_MS, async () => (await host.boots()).some(({ mac }) => mac === client));
});

test('24 machines that ask at one moment get 24 addresses, and none that a device uses', async () => {
  const switchAt = bench.machine();
  bench.plug(switchAt, { eth0: 'quiet' });
  // All but 30 of the addresses that host0 could give.
  const used = Array.from({ length: 30 }, (_, number) => `10.77.0.${number + 10}`);
  ip(switchAt, ...used.map((ipv4) => `address add ${ipv4}/26 dev eth0`));
  const rack = Array.from({ length: 24 }, (_, number) => `r${number}`);
  const machines = bench.machine();
  bench.plug(machines, Object.fromEntries(rack.map((device) => [device, 'quiet'])));
  const clients = rack.map((device) => BootClient.on(machines, device));
  const acks = await Promise.all(
    clients.map(async (client) => {
      const [offer] = await client.discover('efi');
      if (offer === undefined) throw new Error('no offer');
      return client.request('efi', offer);
    }),
  );
  for (const client of clients) client.close();
  const given = acks.map(({ yiaddr }) => yiaddr);
  expect(new Set(given).size).toBe(24);
  expect(acks.map(({ options }) => options.get(OPTION.messageType)?.[0])).toEqual(acks.map(() => 5));
  expect(given.filter((ipv4) => used.includes(ipv4))).toEqual([]);
  const finding = (await host.status()).health.find(({ code }) => code === 'MESH_BOOT_ADDRESS_USED');
  expect(finding).toMatchObject({ object: 'eth2', severity: 'warning' });
  expect(finding?.message).toMatch(BootClient.macOf(switchAt, 'eth0'));
});

test('an office server that host0 knew is not replaced after a restart, although it is silent now', async () => {
  await host.end('host0', 'SIGTERM');
  office.stop();
  host.start('host0');
  const segment = await host.segment('eth1', 'is decided', ({ mode }) => mode !== 'observe', DEADLINE_MS);
  expect(segment).toMatchObject({ mode: 'proxy', reason: 'as before' });
  expect(segment.foreignServers).toMatchObject([{ server: `${OFFICE}.1` as Ipv4 }]);
  // Where host0 served, it goes on at once.
  expect(await host.segment('eth2', 'is there', () => true)).toMatchObject({ mode: 'server', reason: 'as before' });
  const client = BootClient.on(machine);
  const [offer] = await client.discover('bios');
  expect(offer && addressOption(offer, OPTION.serverId)).toBe('10.77.0.1');
  client.close();
  expect(inside(host.netns, 'ip', '-br', 'address', 'show', 'eth1')).not.toMatch('10.77.');
});

test('while boot_mode forbids a device that is not there, a new card is only observed, and served cards are served', async () => {
  await host.end('host0', 'SIGTERM');
  appendFileSync(join(host.host0Dir, 'host0.conf'), 'boot_mode="eth7=off"\n');
  bench.segment('renamed');
  bench.plug(host.netns, { eth3: 'renamed' });
  host.start('host0');
  // No other server answers there: a NIC without a line would be served.
  const served = await host.segment('eth2', 'is decided', ({ mode }) => mode !== 'observe', DEADLINE_MS);
  expect(served).toMatchObject({ mode: 'server', reason: 'as before' });
  expect(await host.segment('eth3', 'is there', () => true)).toMatchObject({ mode: 'observe', reason: 'configured' });
  const { health } = await host.status();
  expect(health.find(({ code }) => code === 'MESH_SEGMENT_ABSENT')).toMatchObject({ object: 'eth7' });
  // The device is there under its name: the line is of it alone.
  bench.plug(host.netns, { eth7: 'renamed' });
  expect(await host.segment('eth7', 'is off', ({ mode }) => mode === 'off', DEADLINE_MS)).toBeDefined();
});
