import { readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inside } from '../../test/kit/namespaces.ts';
import { probeKernel } from './probe.ts';

const HERE = '/proc/thread-self/ns/net';

test('this kernel has what Meshwork is built on, tried out of sight', async () => {
  const home = readlinkSync(HERE);
  const features = await probeKernel();
  expect(features.filter(({ present }) => !present)).toEqual([]);
  expect(features.map(({ name }) => name)).toEqual([
    'bridge',
    'vxlan',
    'vxlan df inherit',
    'extern_learn entries',
    'tun',
    'nft inet',
    'nft bridge',
    'nft netdev ingress',
    'br_netfilter',
  ]);
  expect(readlinkSync(HERE)).toBe(home);
  expect(inside('/proc/self/ns/net', 'ip', 'link')).not.toContain('probe-');
});

test('without the right to make a namespace nothing is claimed', async () => {
  process.seteuid?.(65534);
  try {
    await expect(probeKernel()).rejects.toMatchObject({ code: 'MESH_KERNEL_REFUSED', remedy: 'Run it as root.' });
  } finally {
    process.seteuid?.(0);
  }
});
