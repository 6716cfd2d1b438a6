/** What the dnsmasq of a segment serves, dry answers, the copies of the boot loaders, and the installation id. */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { SubnetAllocation } from '../../controller/pools/subnet-book.ts';
import { type Ipv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { SubnetView } from '../../protocol/documents/boot-views.ts';
import type { DhcpSighting } from '../frames/sighting.ts';
import { installationAt } from '../nics/installation.ts';
import { provideBootFiles } from './boot-files.ts';
import { dryAnswer } from './dry-answer.ts';
import { guestAddress, leaseRange, subnetOf } from './segment-service.ts';

const ALLOCATION: SubnetAllocation = { subnet: parseIpv4Cidr('10.11.0.0/25'), origin: 'dynamic', ports: ['eth1'] };
const at = (ipv4: string, length = 24) => ({ ipv4: ipv4 as Ipv4, length });
const subnet = (text: string, ipv4: string, origin: SubnetView['origin']): SubnetView => ({
  subnet: parseIpv4Cidr(text),
  ipv4: ipv4 as Ipv4,
  origin,
});

test('a NIC’s own address comes before the allocated subnet, and the allocated address is not an own one', () => {
  expect(subnetOf([at('192.168.7.9')], ALLOCATION)).toEqual(subnet('192.168.7.0/24', '192.168.7.9', 'own'));
  expect(subnetOf([at('10.11.0.1', 25)], ALLOCATION)).toEqual(subnet('10.11.0.0/25', '10.11.0.1', 'dynamic'));
  expect(subnetOf([], ALLOCATION)?.ipv4).toBe('10.11.0.1');
  expect(subnetOf([], undefined)).toBeUndefined();
});

test('beside another server, host0 uses an address in the server’s subnet', () => {
  const addresses = [at('10.11.0.1', 25), at('192.168.7.9')];
  expect(guestAddress(addresses, [parseIpv4Cidr('192.168.7.0/24')])?.ipv4).toBe('192.168.7.9');
  expect(guestAddress(addresses, [parseIpv4Cidr('192.168.8.0/24')])).toBeUndefined();
  expect(guestAddress(addresses, [])?.ipv4).toBe('10.11.0.1');
});

test('leases: all of an allocated subnet, the upper half of another, and never host0’s address', () => {
  const range = (...words: Parameters<typeof subnet>) => Object.values(leaseRange(subnet(...words))).join(' ');
  expect(range('10.11.0.0/25', '10.11.0.1', 'dynamic')).toBe('10.11.0.2 10.11.0.126');
  expect(range('10.11.0.0/24', '10.11.0.1', 'own')).toBe('10.11.0.128 10.11.0.254');
  expect(range('10.11.0.0/24', '10.11.0.254', 'own')).toBe('10.11.0.128 10.11.0.253');
  expect(range('10.11.0.0/30', '10.11.0.1', 'dynamic')).toBe('10.11.0.2 10.11.0.2');
  expect(range('10.11.0.0/30', '10.11.0.2', 'own')).toBe('10.11.0.1 10.11.0.1');
});

test('dry mode: the answer to each kind of client', () => {
  const asks = (client: DhcpSighting['client'], architecture?: number): DhcpSighting => ({
    kind: 'dhcp',
    atMs: 0,
    device: 'eth1',
    message: 'DISCOVER',
    mac: '52:54:00:12:34:56' as Mac,
    port: 67,
    ...(client !== undefined && { client }),
    ...(architecture !== undefined && { architecture }),
  });
  const served = { subnet: ALLOCATION.subnet, host0: '10.11.0.1' as Ipv4 };
  expect(dryAnswer(asks('firmware', 0), 'server', served)).toBe(
    '52:54:00:12:34:56 (firmware, architecture 0): an address of 10.11.0.0/25 and undionly.kpxe',
  );
  expect(dryAnswer(asks('ipxe', 7), 'proxy', served)).toContain(': http://10.11.0.1/boot.ipxe');
  expect(dryAnswer(asks('http boot', 16), 'proxy', served)).toContain(': http://10.11.0.1/tftp/ipxe.efi');
  expect(dryAnswer(asks('system'), 'server', served)).toContain(': an address of 10.11.0.0/25');
  expect(dryAnswer(asks('system'), 'proxy', served)).toBeUndefined();
  expect(dryAnswer(asks('firmware', 11), 'proxy', served)).toBeUndefined();
  expect(dryAnswer(asks('firmware', 0), 'observe', served)).toBeUndefined();
});

test('the loaders are copied once, and again when they have changed; missing ones are named', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-loaders-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const root = join(directory, 'state/tftp');
  writeFileSync(join(directory, 'ipxe.efi'), 'efi');
  expect((await provideBootFiles(root, ['/no/such/directory', directory])).missing?.message).toBe(
    'there is no undionly.kpxe to boot machines with',
  );
  writeFileSync(join(directory, 'undionly.kpxe'), 'bios');
  expect(await provideBootFiles(root, [directory])).toEqual({ root });
  const { ino } = statSync(join(root, 'ipxe.efi'));
  writeFileSync(join(directory, 'undionly.kpxe'), 'another');
  await provideBootFiles(root, [directory]);
  expect(statSync(join(root, 'ipxe.efi')).ino).toBe(ino);
  expect(statSync(join(root, 'undionly.kpxe')).size).toBe(7);
  expect(readdirSync(root).sort()).toEqual(['ipxe.efi', 'undionly.kpxe']);
  // A file is where the directory should be.
  writeFileSync(join(directory, 'file'), '');
  expect((await provideBootFiles(join(directory, 'file/tftp'), [directory])).missing?.code).toBe(
    'MESH_BOOT_FILES_MISSING',
  );
});

test('an installation keeps its id', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-installation-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const id = await installationAt(join(directory, 'boot/installation'));
  expect(id).toMatch(/^[0-9a-f]{8}$/);
  expect(await installationAt(join(directory, 'boot/installation'))).toBe(id);
});
