/** The file of a new mesh. */
import { expect, test } from 'vitest';
import { type Ipv6Cidr, ipv6InSubnet, parseIpv6Interface } from '../../model/address/ipv6.ts';
import { parseMeshConf } from './mesh-conf.ts';
import { explainedMeshConf, newMesh } from './new-mesh.ts';

test('has a comment for each value', () => {
  const random = Buffer.from('0123456789abcdef0123', 'hex');
  expect(explainedMeshConf(newMesh('blue', random))).toMatchInlineSnapshot(`
    "# The mesh blue: the same file on host0 and on each machine that takes part.
    name=blue                         # what people and commands call it
    prefix=fd01:2345:6789:abcd::/64   # where members take their IPv6 addresses from; host0 is ::1 in it
    vni=15794467                      # its number in packets, and in its devices vxlan15794467 and br15794467
    key=15794467                      # the number that addresses are made from; no secret
    "
  `);
});

test.each([
  ['the lowest', 0x00, 131_072],
  ['the highest', 0xff, 131_071 + 131_072],
])('is sound with %s random bytes', (_, byte, vni) => {
  const network = newMesh('blue', Buffer.alloc(10, byte));
  expect(network.type.vni).toBe(vni);
  expect(parseMeshConf('blue.conf', Buffer.from(explainedMeshConf(network)))).toMatchObject({
    conf: { network, warnings: [] },
    errors: [],
  });
});

test('differs from each other new mesh in prefix and number, with a prefix from fd00::/8', () => {
  const meshes = Array.from({ length: 50 }, () => newMesh('blue'));
  expect(new Set(meshes.map(({ hostAddress }) => hostAddress.prefix)).size).toBe(50);
  expect(new Set(meshes.map(({ number }) => number)).size).toBeGreaterThan(45);
  for (const { number, hostAddress } of meshes) {
    expect(ipv6InSubnet(parseIpv6Interface(hostAddress.prefix).address, 'fd00::/8' as Ipv6Cidr)).toBe(true);
    expect(number).toBeGreaterThanOrEqual(0x20000);
  }
});

test.each(['', 'my mesh', '-blue', 'b'.repeat(64), '../blue'])('refuses the name %j', (name) => {
  expect(() => newMesh(name)).toThrow(expect.objectContaining({ code: 'MESH_NET_NAME_INVALID' }));
});
