/** A network whose underlay device is not on the node. */
import { expect, test } from 'vitest';
import { networkOfType, vxlanType } from '../../../test/kit/networks.ts';
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Link } from '../../kernel/rtnl/objects.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { withoutLink } from './other-device.ts';

const blue = {
  ...networkOfType(0xff01, vxlanType(0xff01, { dev: 'eth1', underlay: 'ipv6' }), {
    kind: 'multicast',
    group: 'ff05::ff01' as Ipv6,
  }),
  name: 'blue',
};

function cacheOf(...names: readonly string[]): Pick<KernelTables, 'linkNamed' | 'links'> {
  const links = names.map(
    (name, number) => ({ index: number + 1, name, kind: '', alias: '', loopback: name === 'lo' }) as Link,
  );
  return {
    links: new Map(links.map((link) => [link.index, link])),
    linkNamed: (wanted) => links.find(({ name }) => name === wanted),
  };
}

test('a node that has only other devices is told that other names are not supported', () => {
  expect(withoutLink(blue, 'eth1', cacheOf('lo', 'ens3'))).toMatchObject({
    phase: 'failed',
    error: { code: 'MESH_UNDERLAY_DEVICE', message: expect.stringContaining('ens3') },
  });
});

test('a device without an address, a node without any device, and other types of peers are pending', () => {
  const { peers: _, ...plain } = blue;
  for (const [given, cache] of [
    [blue, cacheOf('lo', 'eth1')],
    [blue, cacheOf('lo')],
    [plain, cacheOf('lo', 'ens3')],
  ] as const)
    expect(withoutLink(given, 'eth1', cache)).toMatchObject({ phase: 'pending' });
});
