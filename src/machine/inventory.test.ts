/** The inventory of described machines and of this one. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseMac } from '../model/address/mac.ts';
import { INVENTORY_MAX_BYTES } from '../protocol/documents/inventory.ts';
import { readInventory } from './inventory.ts';

let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'meshwork-inventory-'));
});
afterEach(() => rmSync(tree, { recursive: true }));

function put(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), `${text}\n`);
  }
}

const thread = (number: number, core: number, socket: number) =>
  `processor\t: ${number}\nmodel name\t: AMD EPYC 7302P  16-Core Processor\nphysical id\t: ${socket}\ncore id\t\t: ${core}\n`;

const ETH0 = { index: 2, name: 'eth0', mac: parseMac('52:54:00:00:00:02') };
const ETH1 = { index: 3, name: 'eth1', mac: parseMac('52:54:00:00:00:03') };

test('a server with two sockets, disks of all kinds, and two NICs', () => {
  put({
    'sys/class/dmi/id/sys_vendor': 'Dell Inc.',
    'sys/class/dmi/id/product_name': 'PowerEdge R620',
    'proc/cpuinfo': [thread(0, 0, 0), thread(1, 0, 1), thread(2, 0, 0), thread(3, 0, 1)].join('\n'),
    'proc/meminfo': 'MemTotal:       24684084 kB\nMemFree:        23344612 kB',
    'sys/block/sda/size': '1953525168',
    'sys/block/sda/queue/rotational': '1',
    'sys/block/sda/device/vendor': 'ATA     ',
    'sys/block/sda/device/model': 'ST1000NM0033-9ZM',
    'sys/block/nvme0n1/size': '1000215216',
    'sys/block/nvme0n1/queue/rotational': '0',
    'sys/block/nvme0n1/device/model': 'SAMSUNG MZVLB512HAJQ-00000              ',
    'sys/block/vda/size': '8388608',
    'sys/block/vda/device/vendor': '0x1af4',
    'sys/block/sr0/size': '0',
    'sys/block/sr0/device/model': 'DVD-ROM',
    'sys/block/loop0/size': '1024',
    'sys/block/zram0/size': '1024',
    'sys/class/net/eth0/address': ETH0.mac,
    'sys/class/net/eth1/address': '52:54:00:aa:aa:aa',
  });
  for (const card of ['eth0', 'eth1']) {
    mkdirSync(join(tree, 'sys/class/net', card, 'device'), { recursive: true });
    symlinkSync('../../../bus/pci/drivers/igb', join(tree, 'sys/class/net', card, 'device/driver'));
  }
  expect(readInventory([ETH1, ETH0], tree)).toEqual({
    system: { manufacturer: 'Dell Inc.', product: 'PowerEdge R620' },
    cpu: { model: 'AMD EPYC 7302P 16-Core Processor', threads: 4, cores: 2 },
    memoryBytes: 24684084 * 1024,
    disks: [
      { name: 'nvme0n1', bytes: 512_110_190_592, rotates: false, model: 'SAMSUNG MZVLB512HAJQ-00000' },
      { name: 'sda', bytes: 1_000_204_886_016, rotates: true, model: 'ST1000NM0033-9ZM' },
      { name: 'vda', bytes: 4_294_967_296, rotates: false },
    ],
    // The eth1 in /sys belongs to another network namespace.
    nics: [
      { name: 'eth0', mac: ETH0.mac, driver: 'igb' },
      { name: 'eth1', mac: ETH1.mac },
    ],
  });
});

test('a machine that reports almost nothing', () => {
  put({
    'sys/class/dmi/id/sys_vendor': 'To Be Filled By O.E.M.',
    'proc/cpuinfo': 'processor\t: 0\nBogoMIPS\t: 50.00\n\nprocessor\t: 1\nBogoMIPS\t: 50.00\n',
  });
  expect(readInventory([], tree)).toEqual({
    system: {},
    cpu: { threads: 2 },
    memoryBytes: 0,
    disks: [],
    nics: [],
  });
});

test('texts of makers become printable and short, and the whole inventory fits a report', () => {
  const disks = Array.from({ length: 300 }, (_, index) => [
    [`sys/block/sd${index}/size`, '9999999999'],
    [`sys/block/sd${index}/device/model`, `\x1b[31m${'ü"x'.repeat(900)}`],
  ]);
  put(Object.fromEntries(disks.flat()));
  const cards = Array.from({ length: 300 }, (_, index) => ({
    ...ETH0,
    name: `enp${'9'.repeat(11)}${index % 10}`,
    index,
  }));
  const inventory = readInventory(cards, tree);
  expect(inventory.disks).toHaveLength(64);
  expect(inventory.disks[0]?.model).toMatch(/^[\x20-\x7e]{100,128}$/);
  expect(JSON.stringify(inventory).length).toBeLessThan(INVENTORY_MAX_BYTES);
});

test('the machine that runs this test', () => {
  const { cpu, memoryBytes } = readInventory([]);
  expect(cpu.threads).toBeGreaterThanOrEqual(availableParallelism());
  expect(memoryBytes).toBeGreaterThan(100_000_000);
});
