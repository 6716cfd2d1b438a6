/** host0's settings, and the error for each mistake. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { errorText } from '../error-text.ts';
import { HOST0_DEFAULTS, parseHost0Conf, readHost0Conf } from './host0-conf.ts';

const parse = (text: string) => parseHost0Conf('host0.conf', Buffer.from(text));
const complaints = (text: string) =>
  parse(text)
    .errors.map((error) => errorText(error, { color: false }))
    .join('\n');

test('all settings', () => {
  const text = `# static defaults
subnet_pool="10.11.0.0/16" "192.168.0.0/23"
default_subnet_size="24" # of a pool
segment_ports="eth1" eth2
default_networks="manage" "storage"
admission=known
boot=auto
boot_mode="eth1=server" eth2=off
manual_subnets="eth1=10.20.0.0/24" "eth2=26"
join_groups="eth1 eth2" "eth3 eth4 eth5"
port_settle_sec=0
shared_ids="4C4C4544-0000-2010-8020-80C04F202020" "EVAL 1"
metrics="manage"
member_subnets="10.20.0.0/16" 192.168.9.7/32
`;
  expect(parse(text)).toEqual({
    settings: {
      subnetPool: ['10.11.0.0/16', '192.168.0.0/23'],
      defaultSubnetSize: 24,
      segmentNics: ['eth1', 'eth2'],
      memberSubnets: ['10.20.0.0/16', '192.168.9.7/32'],
      defaultNetworks: ['manage', 'storage'],
      admission: 'known',
      boot: 'auto',
      bootModes: [
        { port: 'eth1', mode: 'server' },
        { port: 'eth2', mode: 'off' },
      ],
      manualSubnets: [
        { port: 'eth1', subnet: '10.20.0.0/24' },
        { port: 'eth2', subnet: 26 },
      ],
      joinGroups: [
        ['eth1', 'eth2'],
        ['eth3', 'eth4', 'eth5'],
      ],
      portSettleSec: 0,
      sharedIds: ['4c4c4544-0000-2010-8020-80c04f202020', 'eval 1'],
      host0s: [],
      libvirt: 'off',
      store: [],
      networkNumbers: {
        ranges: [
          { first: 4096, last: 65535 },
          { first: 0x20000, last: 0xffffff },
        ],
        reserved: [],
        restSec: 3_600,
      },
      metricsNetwork: 'manage',
    },
    defaultNetworksPlace: expect.objectContaining({ line: 5, column: 18 }),
    devicePlaces: {
      segment_ports: expect.objectContaining({ line: 4, column: 15 }),
      boot_mode: expect.objectContaining({ line: 8, column: 11 }),
      manual_subnets: expect.objectContaining({ line: 9, column: 16 }),
      join_groups: expect.objectContaining({ line: 10, column: 13 }),
    },
    errors: [],
  });
});

test('an empty file has the defaults', () => {
  expect(parse('')).toEqual({ settings: HOST0_DEFAULTS, errors: [] });
});

test('a pool with host bits', () => {
  expect(complaints('subnet_pool="10.11.0.0/16" "192.168.0.5/23"')).toMatchInlineSnapshot(`
    "host0.conf:1:29: error: subnet_pool 192.168.0.5/23 has host bits set [MESH_HOST0_CONF_INVALID]
      1 | subnet_pool="10.11.0.0/16" "192.168.0.5/23"
        |                             ^
      rule: A pool is an IPv4 network, as in 10.11.0.0/16.
      write: subnet_pool="10.11.0.0/16" "192.168.0.0/23""
  `);
});
test('a pool that is not a subnet', () => {
  expect(complaints('subnet_pool="fd42::/64"')).toMatchInlineSnapshot(`
    "host0.conf:1:14: error: subnet_pool "fd42::/64" is not an IPv4 address with a prefix length [MESH_HOST0_CONF_INVALID]
      1 | subnet_pool="fd42::/64"
        |              ^
      rule: A pool is an IPv4 network, as in 10.11.0.0/16.
      write: subnet_pool="10.11.0.0/16""
  `);
});
test('a time that is too long', () => {
  expect(complaints('port_settle_sec="301"')).toMatchInlineSnapshot(`
    "host0.conf:1:18: error: port_settle_sec "301" is not a time [MESH_HOST0_CONF_INVALID]
      1 | port_settle_sec="301"
        |                  ^
      rule: A time is a number of seconds, from 0 (the switches forward at once) to 300.
      write: port_settle_sec="35""
  `);
});
test('a subnet size out of range', () => {
  expect(complaints('default_subnet_size="31"')).toMatchInlineSnapshot(`
    "host0.conf:1:22: error: default_subnet_size "31" is not a subnet size [MESH_HOST0_CONF_INVALID]
      1 | default_subnet_size="31"
        |                      ^
      rule: A subnet size is the length of a prefix in bits, from 1 to 30.
      write: default_subnet_size="25""
  `);
});
test('two subnet sizes', () => {
  expect(complaints('default_subnet_size="24" "25"')).toMatchInlineSnapshot(`
    "host0.conf:1:27: error: default_subnet_size has several values [MESH_HOST0_CONF_INVALID]
      1 | default_subnet_size="24" "25"
        |                           ^
      rule: This key has one value.
      write: default_subnet_size="24""
  `);
});
test('a NIC with a name that is too long', () => {
  expect(complaints('segment_ports="eth0" "enx0123456789abcdef"')).toMatchInlineSnapshot(`
    "host0.conf:1:23: error: segment_ports "enx0123456789abcdef" is not the name of a device [MESH_HOST0_CONF_INVALID]
      1 | segment_ports="eth0" "enx0123456789abcdef"
        |                       ^
      rule: A NIC is the name of a network device, 1 to 15 characters without blanks, slashes and colons.
      write: segment_ports="eth0" "eth1""
  `);
});
test('an unknown kind of admission is an error, not the default', () => {
  expect(parse('admission=tokn').settings).toBeUndefined();
  expect(complaints('admission=tokn')).toMatchInlineSnapshot(`
    "host0.conf:1:11: error: admission "tokn" is not a kind of admission [MESH_HOST0_CONF_INVALID]
      1 | admission=tokn
        |           ^
      rule: Admission is open (all machines join), known (machines with a folder) or token (machines with a key of this host0).
      write: admission="token""
  `);
});
test('a mode that does not exist', () => {
  expect(complaints('boot_mode="eth1=server" "eth2=serve"')).toMatchInlineSnapshot(`
    "host0.conf:1:26: error: boot_mode "eth2=serve" is not the mode of a NIC [MESH_HOST0_CONF_INVALID]
      1 | boot_mode="eth1=server" "eth2=serve"
        |                          ^
      rule: A mode is written NIC=MODE, and is off, observe, proxy, server or auto.
      write: boot_mode="eth1=server" "eth2=server""
  `);
});
test('a subnet without a NIC', () => {
  expect(complaints('manual_subnets="10.20.0.0/24"')).toMatchInlineSnapshot(`
    "host0.conf:1:17: error: manual_subnets "10.20.0.0/24" is not the subnet of a NIC [MESH_HOST0_CONF_INVALID]
      1 | manual_subnets="10.20.0.0/24"
        |                 ^
      rule: A subnet is written NIC=SUBNET, or NIC=SIZE for one from the pools; its prefix has 1 to 30 bits.
      write: manual_subnets="eth1=25""
  `);
});
test('a manual subnet with host bits', () => {
  expect(complaints('manual_subnets="eth1=0.0.0.0/0"')).toContain('"eth1=0.0.0.0/0" is not the subnet of a NIC');
  expect(complaints('manual_subnets="eth1=10.20.0.7/24"')).toMatchInlineSnapshot(`
    "host0.conf:1:17: error: manual_subnets "eth1=10.20.0.7/24" is not the subnet of a NIC [MESH_HOST0_CONF_INVALID]
      1 | manual_subnets="eth1=10.20.0.7/24"
        |                 ^
      rule: A subnet is written NIC=SUBNET, or NIC=SIZE for one from the pools; its prefix has 1 to 30 bits.
      write: manual_subnets="eth1=10.20.0.0/24""
  `);
});
test('a group of one NIC', () => {
  expect(complaints('join_groups="eth1 eth2" eth3')).toMatchInlineSnapshot(`
    "host0.conf:1:25: error: join_groups "eth3" is not a group of NICs [MESH_HOST0_CONF_INVALID]
      1 | join_groups="eth1 eth2" eth3
        |                         ^
      rule: A group is two or more NICs in quotes, with blanks between them.
      write: join_groups="eth1 eth2" "eth1 eth2""
  `);
});
test('an unknown value of boot', () => {
  expect(complaints('boot=on')).toMatchInlineSnapshot(`
    "host0.conf:1:6: error: boot "on" is not a known value [MESH_HOST0_CONF_INVALID]
      1 | boot=on
        |      ^
      rule: Boot is off (host0 sends and answers nothing), auto, or dry (host0 only says what it would have answered).
      write: boot="auto""
  `);
});
test('a key without a value', () => {
  expect(complaints('segment_ports=')).toMatchInlineSnapshot(`
    "host0.conf:1:15: error: segment_ports is empty [MESH_HOST0_CONF_INVALID]
      1 | segment_ports=
        |               ^
      rule: A key that is given has a value.
      remedy: Write a value, or remove the line"
  `);
});
test('a misspelt key', () => {
  expect(complaints('subnet_pools="10.11.0.0/16"')).toMatchInlineSnapshot(`
    "host0.conf:1:1: error: unknown key "subnet_pools" [MESH_CONF_KEY_UNKNOWN]
      1 | subnet_pools="10.11.0.0/16"
        | ^
      rule: The keys are subnet_pool, default_subnet_size, segment_ports, member_subnets, default_networks, admission, boot, flavor, boot_mode, manual_subnets, join_groups, port_settle_sec, shared_ids, metrics, management, store, host0s, libvirt, network_numbers, reserved_numbers and number_rest_sec.
      write: subnet_pool="10.11.0.0/16""
  `);
});

test('the first file that exists is read', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mw-host0-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const [first, second] = [join(directory, 'a/host0.conf'), join(directory, 'host0.conf')];
  expect(await readHost0Conf([first, second])).toEqual({ settings: HOST0_DEFAULTS, errors: [] });
  await writeFile(second, 'admission="token"\n');
  expect((await readHost0Conf([first, second])).settings?.admission).toBe('token');
  expect((await readHost0Conf([directory, second])).errors).toMatchObject([{ code: 'MESH_CONF_UNREADABLE' }]);
});

test.each(['10.0.0.0/7', '224.0.0.0/8', '127.0.0.0/8'])('no machine can be a member in %s', (subnet) => {
  expect(complaints(`member_subnets="${subnet}"\n`)).toContain(
    `member_subnets "${subnet}" is not a subnet of machines`,
  );
});
