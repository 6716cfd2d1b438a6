/** The kernel under test has every feature that the probe tries. */
import { readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inside } from '../../test/kit/namespaces.ts';
import { probeKernel } from './probe.ts';

const HERE = '/proc/thread-self/ns/net';

test('this kernel has all features, and the probe leaves no trace', async () => {
  const home = readlinkSync(HERE);
  const features = await probeKernel();
  expect(features.filter(({ present }) => !present)).toEqual([]);
  expect(features.map(({ name }) => name)).toEqual([
    'bridge',
    'vxlan',
    'vxlan df inherit',
    'bridge fdb_max_learned',
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

test('a process that may not make a namespace gets an error, not a list of absent features', async () => {
  process.seteuid?.(65534);
  try {
    await expect(probeKernel()).rejects.toMatchObject({
      code: 'MESH_KERNEL_REFUSED',
      remedy: expect.stringContaining('CAP_SYS_ADMIN'),
    });
  } finally {
    process.seteuid?.(0);
  }
});
