/** `mesh ipam` on the command line, on a host0 in memory: answers, errors and exit codes. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commandLine } from '../../../test/cli/mesh.ts';
import { addressBook } from '../../../test/kit/address-book.ts';
import { listenAt } from '../../../test/kit/route-answer.ts';
import { ipamHandlers } from '../../api/control/ipam-handlers.ts';
import { networkHandlers } from '../../api/control/network-handlers.ts';
import { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import { AddressOrders } from '../../controller/ipam/address-orders.ts';
import { addIpamMetrics } from '../../controller/ipam/ipam-metrics.ts';
import { NetworkBlocks } from '../../controller/ipam/network-blocks.ts';
import { expose } from '../../metrics/exposition.ts';
import { Registry } from '../../metrics/registry.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { CATALOGUE_ROUTES } from '../../protocol/routes/catalogue-routes.ts';
import { IPAM_ROUTES } from '../../protocol/routes/ipam-routes.ts';

let root: string;
let stop: () => Promise<void>;
let catalogue: NetworkCatalogue;
let addresses: AddressOrders;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'mesh-cli-'));
  const { book, store, clock, journal } = await addressBook();
  catalogue = await NetworkCatalogue.open({ store, clock, journal, blocks: new NetworkBlocks(book) });
  addresses = new AddressOrders({ store, journal, book, catalogue, portsIn: () => [] });
  const { controlSock } = pathsBelow(root);
  mkdirSync(dirname(controlSock), { recursive: true });
  const handlers = { ...networkHandlers(catalogue, { addresses }), ...ipamHandlers(addresses) };
  stop = await listenAt(controlSock, { ...CATALOGUE_ROUTES, ...IPAM_ROUTES }, handlers);
});

afterEach(async () => {
  await stop();
  rmSync(root, { recursive: true });
});

const mesh = (line: string) => commandLine(['--root', root, ...line.split(' ')]);

test('pools are made, listed with their use and deleted; blocks are given to networks and others', async () => {
  expect((await mesh('ipam pool list')).stdout).toBe('There is no address pool.\n');
  await mesh('ipam pool create six 2001:db8::/32 --rest 0');
  await mesh('ipam pool create four 10.20.0.0/22 --reserve 10.20.0.0/24 10.20.1.0/24 --warn 50');
  await mesh('ipam pool create one 203.0.113.0/30 --kind ipv4-address --rest 60');
  expect((await mesh('network create blue --ipv6-pool six --ipv4-pool four')).stdout).toContain(
    'subnets   2001:db8::/64, 10.20.2.0/24\n',
  );
  expect((await mesh('network edit blue --ipv6-pool six')).stdout).toContain('2001:db8:0:1::/64');
  expect((await mesh('ipam allocate --kind ipv4-address --for printer --id p1')).stdout).toBe(
    '203.0.113.0 is allocated to operator printer (p1).\n',
  );
  const { stdout } = await mesh('--json ipam allocate --value 203.0.113.3');
  expect(JSON.parse(stdout)).toMatchObject({ value: '203.0.113.3', holder: { kind: 'operator', id: 'operator' } });
  expect((await mesh('ipam release p1')).stdout).toBe('203.0.113.0 is released, and rests for 1 min.\n');
  expect((await mesh('ipam release 2001:db8::/64')).stdout).toBe('2001:db8::/64 is released.\n');
  expect((await mesh('ipam list')).stdout.replaceAll(/ a\d+$/gm, ' ID')).toBe(
    `VALUE              POOL  STATE                HOLDER             ID
10.20.2.0/24       four  allocated            network blue       ID
203.0.113.0        one   resting, 1 min left  operator printer   p1
203.0.113.3        one   allocated            operator operator  ID
2001:db8:0:1::/64  six   allocated            network blue       ID
`,
  );
  expect((await mesh('ipam pool list')).stdout).toBe(
    `NAME  GIVES      OF              USED  ALLOCATED  RESTING  RESERVED      BLOCKS  ALLOCATOR
four  /24s       10.20.0.0/22    50 %          1        0         2           4  host0
one   addresses  203.0.113.0/30  50 %          1        1         0           4  host0
six   /64s       2001:db8::/32    0 %          1        0         0  4294967296  host0
`,
  );
  expect(JSON.parse((await mesh('--json ipam list --pool six')).stdout)).toHaveLength(1);
  const registry = new Registry();
  addIpamMetrics(registry, () => addresses.pools());
  const { body } = expose(registry, undefined);
  expect(body).toContain('meshwork_address_pool_blocks{pool="four",state="free"} 1\n');
  expect(body).toContain('meshwork_address_pool_used_ratio{pool="four"} 0.5\n');
  expect((await mesh('ipam check')).stdout).toBe('All allocations fit what uses them.\n');
});

test('each fault is an error with a remedy, and check ends with 1', async () => {
  await mesh('ipam pool create six 2001:db8::/32');
  const fails = async (line: string) => {
    const { stderr, code } = await mesh(line);
    return `${code} ${/\[(MESH_\w+)\]/.exec(stderr)?.[1]}`;
  };
  expect(await fails('ipam pool create six 2001:db9::/32')).toBe('1 MESH_ALREADY_MADE');
  expect(await fails('ipam pool create b 2001:db8:1::/48')).toBe('1 MESH_IPAM_POOLS_OVERLAP');
  expect(await fails('ipam pool create b 2001:db9::1/32')).toBe('1 MESH_IPAM_POOL_INVALID');
  expect(await fails('ipam pool create b 2001:db9::/32 --length 63')).toBe('1 MESH_IPAM_POOL_INVALID');
  expect(await fails('ipam pool create b/c 2001:db9::/32')).toBe('1 MESH_IPAM_POOL_INVALID');
  expect(await fails('ipam pool create b 2001:db9::/32 --allocator ../x')).toBe('1 MESH_IPAM_POOL_INVALID');
  expect(await fails('ipam allocate --value 2001:db8::/63')).toBe('1 MESH_IPAM_LENGTH');
  expect(await fails('ipam allocate --value 2001:db9::/64')).toBe('1 MESH_IPAM_OUTSIDE');
  expect(await fails('ipam allocate --pool red')).toBe('6 MESH_IPAM_POOL_UNKNOWN');
  expect(await fails('ipam allocate --pool six --network red')).toBe('6 MESH_NET_UNKNOWN');
  expect(await fails('ipam allocate')).toBe('2 MESH_USAGE');
  expect(await fails('ipam release 2001:db8::/64')).toBe('6 MESH_IPAM_UNKNOWN');
  expect((await mesh('ipam allocate --value 2001:db8::/63')).stderr).toBe(
    `error: 2001:db8::/63 is no block of the pool six, which gives /64s [MESH_IPAM_LENGTH]
  while: allocate from an address pool: 2001:db8::/63
  rule: All blocks of a pool have one length.
  remedy: Leave the value out: host0 chooses a free one of the /64s
`,
  );
  await mesh('ipam allocate --pool six --network main');
  await catalogue.create({ name: 'blue' });
  await mesh('ipam allocate --pool six --for net-1000');
  expect(await fails('ipam pool delete six --force')).toBe('1 MESH_IPAM_POOL_IN_USE');
  const [{ id = '' } = {}] = addresses.list();
  await mesh(`ipam release ${id}`);
  expect(await fails('ipam pool delete six')).toBe('1 MESH_IPAM_POOL_IN_USE');
  expect((await mesh('ipam pool delete six --force')).stdout).toBe('six is deleted.\n');
  // A subnet that the network had before the pool was made.
  await catalogue.edit('blue', { subnets: [{ cidr: '2001:db8:7::/64' }] });
  await mesh('ipam pool create six 2001:db8::/32');
  expect(await mesh('ipam check')).toMatchObject({
    code: 1,
    stdout:
      'network blue has the subnet 2001:db8:7::/64 of the pool six without an allocation\n' +
      '  remedy: `mesh ipam allocate --value 2001:db8:7::/64 --network blue`, or give the network another subnet: `mesh network edit blue`\n',
  });
  await mesh('ipam allocate --value 2001:db8:7::/64 --network blue');
  expect((await mesh('ipam check')).code).toBe(0);
});
