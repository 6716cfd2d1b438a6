import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { callNetSetup, findNetSetup } from './net-setup.ts';

function script(text: string, mode = 0o755): { readonly path: string; readonly directory: string } {
  const directory = mkdtempSync(join(tmpdir(), 'mw-setup-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'setup');
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, mode);
  return { path, directory };
}

function call(text: string, number = 3, net = 1): Promise<string[]> {
  const { path, directory } = script(text);
  return callNetSetup(path, { number, net }, { name: 'x', netns: '/proc/self/ns/net', directory, accelerator: 'tcg' });
}

test('a script is called with the machine and the net, and prints options of QEMU', async () => {
  const words = await call(
    `echo said >&2; echo "-netdev user,id=net$2"; echo "-device virtio-net-pci,netdev=net$2,mac=$LAB_MAC,x=$1.$__mtu"`,
  );
  expect(words).toEqual([
    '-netdev',
    'user,id=net1',
    '-device',
    'virtio-net-pci,netdev=net1,mac=02:00:00:01:01:03,x=3.1500',
  ]);
});

test('a daemon that a script leaves behind does not hold it up', async () => {
  expect(await call('sleep 5 & echo "-nic user"')).toEqual(['-nic', 'user']);
});

test.each([
  ['ends badly', 'echo "no such switch" >&2; exit 3', /setup 3 1 ended with 3: no such switch$/],
  ['is killed', 'kill -9 $$', /setup 3 1 was ended by SIGKILL$/],
  ['prints nothing', ':', /has printed nothing$/],
  ['prints nonsense', 'echo bridge is up', /has printed "bridge", which is no such option$/],
  ['prints an option that it may not', 'echo "-nic user -kernel /etc/passwd"', /"-kernel", which is no such option$/],
  [
    'prints an option without its word',
    'echo "-netdev -device virtio-net-pci"',
    /has printed -netdev without its word$/,
  ],
  ['adds no card', 'echo "-netdev user,id=net1"', /options that add no card$/],
])('a script that %s stops its machine with its own words', async (_, text, says) => {
  await expect(call(text)).rejects.toMatchObject({ code: 'MESH_LAB_NET_SETUP', message: expect.stringMatching(says) });
});

test('a script that cannot be run is told before anything is built', () => {
  const { path, directory } = script(':', 0o644);
  expect(() => findNetSetup(path, '/')).toThrow(/is not executable/);
  expect(() => findNetSetup(directory, '/')).toThrow(/is no file/);
  expect(() => findNetSetup('./nothing', directory)).toThrow(/there is no net set-up/);
  expect(findNetSetup('bridge', '/')).toBeUndefined();
  expect(findNetSetup('ovs', '/')).toMatch(/net-setup\/ovs$/);
});
