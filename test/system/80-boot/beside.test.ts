/** host0 beside other servers on one segment: a foreign DHCP server, and another host0. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { addressOption, OPTION } from '../../../src/boot/frames/dhcp-packet.ts';
import type { Ipv6 } from '../../../src/model/address/ipv6.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { until } from '../until.ts';
import { BootBench, type BootHost } from './boot-bench.ts';
import { BootClient } from './boot-client.ts';
import { RouterTalk } from './router-talk.ts';

const OFFICE = '192.168.44';

let bench: BootBench;
let older: BootHost;
let younger: BootHost;
let guest: BootHost;
let server: ReturnType<BootBench['foreignServer']>;

/** All three host0s start at once, because each watches its segment for a while before it serves. */
beforeAll(async () => {
  bench = new BootBench();
  bench.segment('office');
  bench.segment('lonely');
  server = bench.foreignServer('office', OFFICE);
  const machine = bench.machine();
  bench.plug(machine, { eth0: 'office' });
  ip(machine, `address add ${OFFICE}.9/24 dev eth0`);
  guest = bench.host0('guest', machine, 'boot="auto"\n');
  guest.start('host0');
  const machines = [bench.machine(), bench.machine()] as const;
  for (const one of machines) bench.plug(one, { eth1: 'lonely' });
  older = bench.host0('older', machines[0], 'boot="auto"\nsubnet_pool="10.71.0.0/24"\n');
  younger = bench.host0('younger', machines[1], 'boot="auto"\nsubnet_pool="10.72.0.0/24"\n');
  older.start('host0');
  older.start('agent');
  await older.segment('eth1', 'serves', ({ service }) => service?.state === 'running');
  younger.start('host0');
  younger.start('agent');
});

afterAll(() => bench.close());

test('beside a DHCP server, host0 is a proxy: the server gives addresses, and host0 boot files', async () => {
  const segment = await guest.segment('eth0', 'is a proxy', ({ service }) => service?.state === 'running');
  expect(segment).toMatchObject({
    mode: 'proxy',
    reason: 'another server answers',
    foreignServers: [{ server: `${OFFICE}.1`, gives: 'addresses', subnet: `${OFFICE}.0/24` }],
    subnet: { ipv4: `${OFFICE}.9`, origin: 'own' },
  });
  const node = bench.machine();
  bench.plug(node, { eth0: 'office' });
  const client = BootClient.on(node);
  for (const [firmware, file, encapsulated] of [
    ['bios', 'undionly.kpxe', '0601080a0400505845ff'],
    // With option 43 here, UEFI would not ask again at port 4011, and not every UEFI takes the file that comes with it.
    ['efi', 'ipxe.efi', undefined],
    ['efi http', `http://${OFFICE}.9/tftp/ipxe.efi`, undefined],
    ['ipxe', `http://${OFFICE}.9/boot.ipxe`, '0601080a0400505845ff'],
    ['ipxe efi', `http://${OFFICE}.9/boot.ipxe`, undefined],
  ] as const) {
    const offers = await client.discover(firmware, (all) => all.length > 1);
    const proxy = offers.find((offer) => addressOption(offer, OPTION.serverId) === `${OFFICE}.9`);
    expect(proxy).toMatchObject({ yiaddr: '0.0.0.0', siaddr: `${OFFICE}.9`, file });
    expect(proxy?.options.get(OPTION.vendorEncapsulated)?.toString('hex')).toBe(encapsulated);
  }
  const hasAddress = ({ yiaddr }: { yiaddr: string }) => yiaddr !== '0.0.0.0';
  const offer = (await client.discover('efi', (all) => all.some(hasAddress))).find(hasAddress);
  if (offer === undefined) throw new Error('no offer');
  ip(node, `address add ${offer.yiaddr}/24 dev eth0`);
  const second = await client.request4011('efi', offer.yiaddr, {
    ...offer.from,
    mac: segmentMac(guest),
    ipv4: segment.subnet?.ipv4 ?? offer.yiaddr,
  });
  expect(second).toMatchObject({ from: { port: 4011 }, siaddr: `${OFFICE}.9`, file: 'ipxe.efi' });
  client.close();
});

test('a machine that does not boot gets the lease and options of the server, as without host0', async () => {
  const node = bench.machine();
  bench.plug(node, { eth0: 'office' });
  const { ip: address = '', serverid, domain, lease, router } = bench.udhcpc(node);
  expect({ serverid, domain, lease, router }).toEqual({
    serverid: `${OFFICE}.1`,
    domain: 'office.example',
    lease: '600',
    router: `${OFFICE}.1`,
  });
  // This is the only lease: probes, and offers that were not taken, left none.
  expect(
    server
      .leases()
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[2]),
  ).toEqual([address]);
  expect(guest.addresses('eth0')).toEqual([`${OFFICE}.9/24`]);
});

test('iPXE gets an empty router advertisement at once, and no other machine gets one', async () => {
  await guest.segment('eth0', 'is a proxy', ({ service }) => service?.state === 'running');
  // Cards filter out multicast groups that the host has not joined.
  expect(inside(guest.netns, 'ip', 'maddress', 'show', 'dev', 'eth0')).toContain('33:33:00:00:00:02');
  const [ipxe, firmware, bystander] = [talker(), talker(), talker()] as const;
  await ipxe.boot.discover('ipxe efi');
  await firmware.boot.discover('efi');
  // The solicitations of the others go first: if they were answered, the answers would come before that to iPXE.
  for (const { talk } of [bystander, firmware, ipxe]) talk.solicit();
  await until('an answer to iPXE', 10_000, () => ipxe.talk.heard.length > 0);
  const { mac: to, ipv6: toIpv6 } = ipxe.talk;
  // Hop limit, lifetime and times are 0, and there is no option: the advertisement offers nothing.
  expect(ipxe.talk.heard).toEqual([{ from: segmentMac(guest), to, toIpv6, message: `86${'00'.repeat(15)}` }]);
  expect([...bystander.talk.heard, ...firmware.talk.heard]).toEqual([]);
  // The system that iPXE has started asks for an address as a system, and then for a router.
  ipxe.boot.ask('system');
  ipxe.talk.solicit();
  await bystander.boot.discover('ipxe');
  bystander.talk.solicit();
  await until('an answer to the next iPXE', 10_000, () => bystander.talk.heard.length > 0);
  expect(ipxe.talk.heard).toHaveLength(1);
});

test('a system that gets this answer still takes the next real router', async () => {
  const node = bench.machine();
  bench.plug(node, { eth0: 'office' });
  const talk = new RouterTalk(node);
  const boot = BootClient.on(node);
  onTestFinished(() => {
    talk.close();
    boot.close();
  });
  await boot.discover('ipxe');
  // From now on Linux itself asks for a router.
  ip(node, 'link set eth0 down', 'link set eth0 addrgenmode eui64');
  inside(node, 'sysctl', '-qw', 'net.ipv6.conf.eth0.accept_ra=1', 'net.ipv6.conf.eth0.autoconf=1');
  ip(node, 'link set eth0 up');
  await until('an answer to Linux', 10_000, () => talk.heard.length > 0);
  expect(talk.heard).toMatchObject([{ from: segmentMac(guest), to: talk.mac }]);
  expect(inside(node, 'ip', '-6', 'route', 'show', 'default')).toBe('');
  const router = talker();
  router.talk.advertise('fd77:1:2:3::' as Ipv6);
  const route = await until('a default route', 10_000, () => inside(node, 'ip', '-6', 'route', 'show', 'default'));
  expect(route).toContain(`via ${router.talk.ipv6} dev eth0`);
  expect(inside(node, 'ip', '-6', 'address', 'show', 'dev', 'eth0', 'scope', 'global')).toContain('fd77:1:2:3:');
});

test('of two host0s on one segment the newcomer stays passive, and both report it', async () => {
  const passive = await younger.segment('eth1', 'found the other', ({ otherHost0s }) => otherHost0s.length > 0);
  const first = (await older.boot()).segments[0];
  expect(passive.otherHost0s).toMatchObject([{ ipv4: first?.subnet?.ipv4, senior: true }]);
  expect(first?.otherHost0s).toMatchObject([{ installation: (await younger.boot()).installation, senior: false }]);
  // This is longer than a host0 watches that is alone.
  await until('the newcomer has asked at least three times', 20_000, async () => {
    const [segment] = (await younger.boot()).segments;
    return (segment?.sinceSec ?? 0) >= 6;
  });
  expect((await younger.boot()).segments).toMatchObject([{ mode: 'observe', reason: 'another host0' }]);
  expect(younger.addresses('eth1')).toEqual([]);
  expect((await older.boot()).segments).toMatchObject([{ mode: 'server' }]);
  for (const host of [older, younger]) {
    const { health } = await host.status();
    expect(health).toContainEqual(expect.objectContaining({ code: 'MESH_BOOT_TWO_HOST0', object: 'eth1' }));
  }
});

function segmentMac(host: BootHost) {
  return BootClient.macOf(host.netns, 'eth0');
}

/** A new machine on the office segment. */
function talker(): { readonly boot: BootClient; readonly talk: RouterTalk } {
  const node = bench.machine();
  bench.plug(node, { eth0: 'office' });
  const both = { boot: BootClient.on(node), talk: new RouterTalk(node) };
  onTestFinished(() => {
    both.boot.close();
    both.talk.close();
  });
  return both;
}
