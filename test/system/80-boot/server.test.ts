/** host0 alone on a segment: it gives out subnets, addresses and boot files, and recovers from faults. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addressOption, OPTION, textOf } from '../../../src/boot/frames/dhcp-packet.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { until } from '../until.ts';
import { BootBench, type BootHost } from './boot-bench.ts';
import { BootClient } from './boot-client.ts';

const CONF = 'boot="auto"\nsubnet_pool="10.77.0.0/24"\ndefault_subnet_size="26"\nboot_mode="eth2=off"\n';
const HOST0 = '10.77.0.1';

let bench: BootBench;
let host: BootHost;
let client: BootClient;

beforeAll(async () => {
  bench = new BootBench();
  const machine = bench.machine();
  for (const segment of ['one', 'two']) bench.segment(segment);
  bench.plug(machine, { eth1: 'one', eth2: 'two' });
  const node = bench.machine();
  bench.plug(node, { eth0: 'one' });
  host = bench.host0('host0', machine, CONF);
  host.start('host0');
  host.start('agent');
  client = BootClient.on(node);
  await host.segment('eth1', 'serves', ({ mode, service }) => mode === 'server' && service?.state === 'running');
});

afterAll(async () => {
  client?.close();
  await bench.close();
});

test('a segment without a server gets a subnet, and host0 its first address there', async () => {
  const segment = await host.segment('eth1', 'has a subnet', ({ subnet }) => subnet !== undefined);
  expect(segment).toMatchObject({
    reason: 'nobody else answers',
    subnet: { subnet: '10.77.0.0/26', origin: 'dynamic', ipv4: HOST0 },
  });
  expect(host.addresses('eth1')).toEqual([`${HOST0}/26`]);
  expect(host.addresses('eth2')).toEqual([]);
  expect((await host.status()).segments).toEqual([{ device: 'eth1', ipv4: HOST0, subnet: '10.77.0.0/26' }]);
});

test('each kind of firmware gets an address and its loader, iPXE the script, and a system no boot file', async () => {
  const files: string[] = [];
  for (const firmware of ['bios', 'efi', 'efi class', 'efi http', 'ipxe', 'ipxe efi', 'system'] as const) {
    const [offer] = await client.discover(firmware);
    if (offer === undefined) throw new Error('no offer');
    const { options, siaddr, from } = await client.request(firmware, offer);
    expect(from.ipv4).toBe(HOST0);
    const text = (code: number) => textOf(options.get(code) ?? Buffer.from('-'));
    files.push([firmware, siaddr, text(OPTION.bootFile), text(OPTION.vendorClass)].join(' '));
    // host0 is the time server, but not a router.
    expect([...(options.get(42) ?? [])].join('.')).toBe(HOST0);
    expect(options.has(OPTION.router)).toBe(false);
    if (firmware === 'bios' || firmware === 'efi') {
      // Take the file in this packet (discovery control, bit 3).
      expect(options.get(OPTION.vendorEncapsulated)?.toString('hex')).toBe('060108ff');
    }
    // Option 176 in option 175: iPXE need not wait for a proxy.
    if (firmware.startsWith('ipxe')) expect(options.get(OPTION.ipxe)?.toString('hex')).toBe('b00101ff');
  }
  expect(files).toEqual([
    `bios ${HOST0} undionly.kpxe PXEClient`,
    `efi ${HOST0} ipxe.efi PXEClient`,
    `efi class ${HOST0} ipxe.efi PXEClient`,
    `efi http ${HOST0} http://${HOST0}/tftp/ipxe.efi HTTPClient`,
    `ipxe ${HOST0} http://${HOST0}/boot.ipxe PXEClient`,
    `ipxe efi ${HOST0} http://${HOST0}/boot.ipxe PXEClient`,
    `system ${HOST0} - -`,
  ]);
  // A machine has one lease, for its firmware, iPXE and system.
  expect((await host.boot()).segments.find(({ device }) => device === 'eth1')?.leases).toMatchObject([
    { mac: client.mac },
  ]);
});

test('a real client gets a lease, and fetches the loader by TFTP, byte for byte', async () => {
  const node = bench.machine();
  bench.plug(node, { eth0: 'one' });
  const { ip: address, mask, serverid, lease, ntpsrv } = bench.udhcpc(node);
  expect({ mask, serverid, lease, ntpsrv }).toEqual({ mask: '26', serverid: HOST0, lease: '3600', ntpsrv: HOST0 });
  ip(node, `address add ${address}/26 dev eth0`);
  const file = join(host.root, 'fetched');
  inside(node, 'busybox', 'tftp', '-g', '-l', file, '-r', 'undionly.kpxe', HOST0);
  expect(readFileSync(file).equals(readFileSync('/usr/lib/ipxe/undionly.kpxe'))).toBe(true);
  // TFTP serves only the loaders.
  expect(() =>
    inside(node, 'busybox', 'tftp', '-g', '-l', file, '-r', '../dnsmasq-eth1.process.json', HOST0),
  ).toThrow();
  // No DNS server listens, and TFTP listens at host0's address only.
  const listening = inside(host.netns, 'ss', '-Hlun');
  expect(listening).not.toMatch(/:53\s/);
  expect(listening).toMatch(new RegExp(`${HOST0}:69\\s`));
});

test('host0 recovers when its address is deleted or its NIC is set down', async () => {
  ip(host.netns, `address del ${HOST0}/26 dev eth1`);
  await until('the address is back', 10_000, () => host.addresses('eth1').includes(`${HOST0}/26`));
  ip(host.netns, 'link set eth1 down');
  await host.segment('eth1', 'serves again', ({ mode, service }) => mode === 'server' && service?.state === 'running');
  expect(host.addresses('eth1')).toEqual([`${HOST0}/26`]);
});

test('dnsmasq outlives the daemon and is adopted by the next one, and it is started again when it ends', async () => {
  const before = await host.segment('eth1', 'runs', ({ service }) => service?.pid !== undefined);
  await host.end('host0', 'SIGKILL');
  const [offer] = await client.discover('bios');
  expect(offer?.yiaddr).toBe(before.leases.find(({ mac }) => mac === client.mac)?.ipv4);
  host.start('host0');
  const after = await host.segment('eth1', 'runs', ({ service }) => service?.pid !== undefined);
  expect(after).toMatchObject({ mode: 'server', reason: 'as before', service: before.service, subnet: before.subnet });
  expect(after.leases).toEqual(before.leases);
  process.kill(before.service?.pid ?? Number.NaN, 'SIGKILL');
  await host.segment(
    'eth1',
    'runs again',
    ({ service: now }) => now?.pid !== undefined && now.pid !== before.service?.pid,
  );
  await client.discover('bios');
});

test('another DHCP server is reported at once, and host0 stops giving addresses', async () => {
  const server = bench.foreignServer('one', '192.168.44');
  const visitor = bench.machine();
  bench.plug(visitor, { eth0: 'one' });
  // Another server is heard when a client asks it.
  const other = BootClient.on(visitor);
  await other.discover('system', (offers) => offers.some(({ from }) => from.ipv4 === '192.168.44.1'));
  other.close();
  const segment = await host.segment(
    'eth1',
    'is no server',
    ({ mode, service }) => mode === 'proxy' && service === undefined,
    5_000,
  );
  expect(segment.foreignServers).toMatchObject([
    { server: '192.168.44.1', gives: 'addresses', subnet: '192.168.44.0/24' },
  ]);
  expect(segment.remark).toContain('no address in 192.168.44.0/24');
  const { health } = await host.status();
  expect(health).toContainEqual(
    expect.objectContaining({ code: 'MESH_BOOT_FOREIGN_DHCP', severity: 'error', object: 'eth1' }),
  );
  const alarm = host.events().find(({ kind, level }) => kind === 'foreign server' && level === 'error');
  expect(alarm?.message).toMatch(/^192\.168\.44\.1 \(.+\) answers DHCP on eth1 for 192\.168\.44\.0\/24/);
  const asked = bench.udhcpc(visitor);
  expect(asked.serverid).toBe('192.168.44.1');
  // With an address in that subnet, host0 gives boot files beside the other server.
  ip(host.netns, 'address add 192.168.44.9/24 dev eth1');
  await host.segment('eth1', 'is a proxy', ({ service }) => service?.state === 'running');
  const offers = await client.discover('bios', (all) => all.length > 1);
  const told = offers.map((offer) => `${addressOption(offer, OPTION.serverId)} ${offer.siaddr} ${offer.file || '-'}`);
  expect([...new Set(told)].sort()).toEqual(['192.168.44.1 192.168.44.1 -', '192.168.44.9 192.168.44.9 undionly.kpxe']);
  server.stop();
});

test('when boot is switched off, host0 gives up its address and listens no more', async () => {
  await host.end('host0', 'SIGTERM');
  host.configure('');
  host.start('host0');
  await until('the address is gone', 30_000, () => !host.addresses('eth1').includes(`${HOST0}/26`));
  expect(inside(host.netns, 'ss', '-Hlun')).not.toMatch(/:(?:67|69|4011)\s/);
  expect(await host.boot()).toMatchObject({ boot: 'off', segments: [] });
});
