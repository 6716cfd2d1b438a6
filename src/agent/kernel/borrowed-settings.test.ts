/** On a real kernel: a setting gets its value from before, whichever agent gives it back, and that of another program stays. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { type TemporaryNetns, temporaryNetns } from '../../kernel/netns.ts';
import { type SysctlItem, sysctlKind } from '../items/sysctl.ts';
import { BorrowedSettings, toGiveBack } from './borrowed-settings.ts';
import { BorrowedSettingsFile } from './borrowed-settings-file.ts';
import { SystemKernel } from './system-kernel.ts';

const PATH = ['net', 'ipv4', 'conf', 'eth0', 'forwarding'];
const WANTED: SysctlItem = { kind: 'sysctl', path: PATH, value: '1', borrowed: true };

let netns: TemporaryNetns;
let file: string;

beforeEach(() => {
  netns = temporaryNetns();
  const directory = mkdtempSync(join(tmpdir(), 'mw-settings-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true });
    netns.close();
  });
  file = join(directory, 'settings.json');
  ip(netns.path, 'link add eth0 type veth peer name eth1');
});

const now = () => inside(netns.path, 'sysctl', '-n', 'net.ipv4.conf.eth0.forwarding').trim();

/** An agent of its own, with what the last one left on the disk. */
async function agent(body: (kernel: SystemKernel, settings: BorrowedSettings) => Promise<unknown>): Promise<void> {
  const onDisk = new BorrowedSettingsFile(file);
  const settings = new BorrowedSettings(await onDisk.read(), (list) => onDisk.write(list));
  expect(onDisk.health()).toEqual([]);
  const kernel = await SystemKernel.open(() => undefined, { netns: netns.path, settings });
  try {
    await body(kernel, settings);
  } finally {
    await kernel.close();
  }
}

const borrow = () =>
  agent(async (kernel) => expect(await kernel.apply(sysctlKind.create(WANTED))).toEqual([undefined]));

/** Gives back what nothing needs. @returns how many settings that were */
async function giveBack(): Promise<number> {
  let count = 0;
  await agent(async (kernel, settings) => {
    const items = toGiveBack(settings, new Map());
    count = items.length;
    for (const item of items) expect(await kernel.apply(sysctlKind.remove(item))).toEqual([undefined]);
    expect(settings.list).toEqual([]);
  });
  return count;
}

test('the next agent gives back what the last one has borrowed, once', async () => {
  await borrow();
  expect(now()).toBe('1');
  await borrow();
  expect(await giveBack()).toBe(1);
  expect(now()).toBe('0');
  expect(await giveBack()).toBe(0);
});

test('what was so before is not borrowed, and what another program has changed since stays', async () => {
  inside(netns.path, 'sysctl', '-qw', 'net.ipv4.conf.eth0.forwarding=1');
  await borrow();
  expect(await giveBack()).toBe(0);
  expect(now()).toBe('1');
  inside(netns.path, 'sysctl', '-qw', 'net.ipv4.conf.eth0.forwarding=0');
  await borrow();
  inside(netns.path, 'sysctl', '-qw', 'net.ipv4.conf.eth0.forwarding=0');
  expect(await giveBack()).toBe(1);
  expect(now()).toBe('0');
});

test('a setting of a device that is gone is forgotten', async () => {
  await borrow();
  ip(netns.path, 'link delete eth0');
  expect(await giveBack()).toBe(1);
});
