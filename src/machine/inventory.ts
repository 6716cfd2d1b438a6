/** The hardware of this machine, read from /proc and /sys. Nothing is probed, and nothing is written. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  type Disk,
  INVENTORY_PARTS_MAX,
  INVENTORY_TEXT_MAX,
  type Inventory,
  type Nic,
} from '../protocol/documents/inventory.ts';
import type { PermanentMac } from './machine-id.ts';
import { serialFault } from './smbios.ts';
import { readSystemFile } from './system-file.ts';

/** The unit of `size` of a block device, whatever sector size the disk has. */
const SECTOR_BYTES = 512;

/**
 * Reads the inventory. Parts that cannot be read are left out.
 * @param cards the NICs of this machine with their permanent MACs; virtual ones have none
 * @param sysRoot the directory that contains `proc` and `sys`
 */
export function readInventory(cards: readonly PermanentMac[], sysRoot = '/'): Inventory {
  const [manufacturer, product] = ['sys_vendor', 'product_name'].map((attribute) =>
    clean(textOf(join(sysRoot, 'sys/class/dmi/id', attribute))),
  );
  return {
    system: { ...(manufacturer !== undefined && { manufacturer }), ...(product !== undefined && { product }) },
    cpu: parseCpus(fileAt(join(sysRoot, 'proc/cpuinfo'))),
    memoryBytes: parseMemory(fileAt(join(sysRoot, 'proc/meminfo'))),
    disks: disksIn(join(sysRoot, 'sys/block')),
    nics: [...cards]
      .sort((a, b) => a.index - b.index)
      .slice(0, INVENTORY_PARTS_MAX)
      .map((card) => nicOf(card, join(sysRoot, 'sys/class/net', card.name))),
  };
}

/**
 * proc_cpuinfo(5): one paragraph for each thread. Not every processor reports its name, or which core a thread belongs
 * to.
 */
function parseCpus(cpuinfo: string): Inventory['cpu'] {
  const threads = cpuinfo.split('\n\n').flatMap((paragraph) => {
    const words = new Map(paragraph.split('\n').map((line) => splitAt(line, ':')));
    return words.has('processor') ? [words] : [];
  });
  const model = clean(threads[0]?.get('model name') ?? '');
  const cores = new Set(
    threads.flatMap((words) => {
      const core = words.get('core id');
      return core === undefined ? [] : [`${words.get('physical id')}/${core}`];
    }),
  );
  return {
    threads: threads.length,
    ...(model !== undefined && { model }),
    ...(cores.size > 0 && { cores: cores.size }),
  };
}

/** proc_meminfo(5): `MemTotal:       24684084 kB`. */
function parseMemory(meminfo: string): number {
  return Number(/^MemTotal:\s*(\d+) kB$/m.exec(meminfo)?.[1] ?? 0) * 1024;
}

/** Disks have a `device`; loop, zram and mapped devices have none. An empty card reader has size 0. */
function disksIn(blocks: string): Disk[] {
  return names(blocks)
    .filter((name) => names(join(blocks, name)).includes('device'))
    .flatMap((name): Disk[] => {
      const of = (attribute: string) => textOf(join(blocks, name, attribute));
      const bytes = Number(of('size')) * SECTOR_BYTES;
      if (!(bytes > 0)) return [];
      const model = clean([of('device/vendor'), of('device/model')].filter(isName).join(' '));
      return [{ name, bytes, rotates: of('queue/rotational') === '1', ...(model !== undefined && { model }) }];
    })
    .slice(0, INVENTORY_PARTS_MAX);
}

/** Whether a vendor or model is a name: virtio gives a number as its vendor, and libata gives `ATA` for every disk. */
function isName(word: string): boolean {
  return word !== '' && !word.startsWith('0x') && word !== 'ATA';
}

/**
 * Adds the driver. In a network namespace /sys may show another namespace: its NIC of the same name has another
 * address.
 */
function nicOf({ name, mac }: PermanentMac, directory: string): Nic {
  if (textOf(join(directory, 'address')) !== mac) return { name, mac };
  try {
    return { name, mac, driver: basename(readlinkSync(join(directory, 'device/driver'))) };
  } catch {
    return { name, mac };
  }
}

/** The text of a file; empty when it cannot be read, as on a failing disk. */
function textOf(path: string): string {
  try {
    return readSystemFile(path) ?? '';
  } catch {
    return '';
  }
}

/** Printable ASCII of limited length, safe to send on; undefined for a placeholder. */
function clean(words: string): string | undefined {
  const text = words
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replace(/ +/g, ' ')
    .trim()
    .slice(0, INVENTORY_TEXT_MAX);
  return serialFault(text) === undefined ? text : undefined;
}

function splitAt(line: string, mark: string): readonly [string, string] {
  const at = line.indexOf(mark);
  return at < 0 ? [line.trim(), ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function fileAt(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
