/** host0 on a home server: its NIC is in the administrator's bridge with virtual machines, and the bridge has the address. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPTION, textOf } from '../../../src/boot/frames/dhcp-packet.ts';
import { EXAMPLE_CONF } from '../../../src/lab/hosts/example-mesh.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { until } from '../until.ts';
import { BootBench, type BootHost } from './boot-bench.ts';
import { BootClient } from './boot-client.ts';
import { RouterTalk } from './router-talk.ts';

const HOME = '192.168.50';
/** `eth0` is a port of `br0`: its name stands for the bridge. `br1` has no address, and gets one. */
const CONF = 'boot="auto"\nsegment_ports="eth0" "br1"\nsubnet_pool="10.78.0.0/24"\n';

let bench: BootBench;
let host: BootHost;
let machine: string;
let guest: string;

beforeAll(async () => {
  bench = new BootBench();
  for (const segment of ['home', 'rack']) bench.segment(segment);
  const server = bench.machine();
  bench.plug(server, { eth0: 'home', eth1: 'rack' });
  guest = bench.machine();
  ip(
    server,
    `link add vm0 up type veth peer name eth0 netns ${guest}`,
    ...['br0', 'br1'].map((bridge) => `link add ${bridge} up type bridge`),
    ...['eth0', 'vm0'].map((port) => `link set ${port} master br0`),
    'link set eth1 master br1',
    `address add ${HOME}.1/24 dev br0`,
  );
  ip(guest, 'link set eth0 up');
  machine = bench.machine();
  bench.plug(machine, { eth0: 'home' });
  host = bench.host0('host0', server, CONF);
  writeFileSync(join(host.host0Dir, 'network/manage.conf'), EXAMPLE_CONF);
  host.start('host0');
  host.start('agent');
  await host.segment('br0', 'serves', ({ mode, service }) => mode === 'server' && service?.state === 'running');
});

afterAll(() => bench.close());

test('the bridge serves its segment with its own address, and its ports are other names for it', async () => {
  expect((await host.scan()).groups.map((group) => [...group].sort())).toEqual([
    ['br0', 'eth0', 'vm0'],
    ['br1', 'eth1'],
  ]);
  const segment = await host.segment('eth0', 'is the bridge', ({ device }) => device === 'br0');
  expect([...segment.nics].sort()).toEqual(['br0', 'eth0', 'vm0']);
  expect(segment).toMatchObject({ mode: 'server', subnet: { origin: 'own', ipv4: `${HOME}.1` } });
  await host.segment('br1', 'serves', ({ service }) => service?.state === 'running');
  expect(host.addresses('eth0')).toEqual([]);
  expect((await host.status()).segments).toEqual([
    { device: 'br0', ipv4: `${HOME}.1`, subnet: `${HOME}.0/24` },
    { device: 'br1', ipv4: '10.78.0.1', subnet: '10.78.0.0/25' },
  ]);
});

test('machines behind the bridge’s card boot from it, and a virtual machine in the bridge gets an address', async () => {
  const client = BootClient.on(machine);
  const [offer] = await client.discover('efi');
  expect(offer).toMatchObject({ siaddr: `${HOME}.1` });
  expect(textOf(offer?.options.get(OPTION.bootFile) ?? Buffer.alloc(0))).toBe('ipxe.efi');
  await client.discover('ipxe efi');
  const talk = new RouterTalk(machine);
  talk.solicit();
  await until('an answer of the bridge', 10_000, () => talk.heard.length > 0);
  expect(talk.heard).toMatchObject([{ from: BootClient.macOf(host.netns, 'br0'), to: client.mac }]);
  client.close();
  talk.close();
  const address = bench.udhcpc(machine).ip ?? '';
  ip(machine, `address add ${address}/24 dev eth0`);
  inside(machine, 'busybox', 'tftp', '-g', '-l', join(host.root, 'fetched'), '-r', 'ipxe.efi', `${HOME}.1`);
  expect(bench.udhcpc(guest).serverid).toBe(`${HOME}.1`);
});

test('frames inside the bridge pass, because they are not forwarded between segments', async () => {
  // Bridged frames go through the forward hook, in which packets between segments are dropped.
  expect(inside(host.netns, 'sysctl', '-n', 'net.bridge.bridge-nf-call-iptables')).toBe('1\n');
  await until('the segments have their rules', 20_000, () =>
    inside(host.netns, 'nft', 'list', 'set', 'inet', 'meshwork', 'segments').includes('"br0"'),
  );
  ip(guest, `address add ${HOME}.2/24 dev eth0`);
  const address = /inet (\S+)\//.exec(inside(machine, 'ip', '-4', 'address', 'show', 'eth0'))?.[1] ?? '';
  expect(inside(guest, 'ping', '-c', '1', '-W', '5', address)).toContain(' 0% packet loss');
});
