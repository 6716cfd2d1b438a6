/** Rules between several network files. */
import { expect, test } from 'vitest';
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { errorText } from '../error-text.ts';
import { judgeNetworkFiles, type NetworkFile } from './network-set.ts';

const MANAGE = { name: 'manage', prefix: 'fd42:2345:1234:9abc::/64', vni: '456', key: '456' };
const GREEN = { name: 'green', prefix: 'fd42:2345:1234:c::/64', vni: '12', key: '12' };
const BLUE = { name: 'blue', prefix: 'fd42:2345:1234:b::/64', vni: '11', key: '11' };

function file(path: string, values: Record<string, string>): NetworkFile {
  const lines = Object.entries(values).map(([key, value]) => `${key}=${value}\n`);
  return { file: path, bytes: Buffer.from(lines.join('')) };
}

function judge(files: NetworkFile[], underlay: string[] = [], inForce: Mesh[] = []) {
  const { accepted, errors, warnings } = judgeNetworkFiles(files, {
    underlay: underlay.map((prefix) => ({ prefix: prefix as Ipv6Cidr, device: 'tun0' })),
    inForce,
  });
  return {
    accepted: accepted.map(({ file }) => file),
    errors: errors.map((error) => errorText(error, { color: false })).join('\n'),
    warnings: warnings.map((error) => errorText(error, { color: false, severity: 'warning' })).join('\n'),
  };
}

test('files that share nothing are accepted', () => {
  expect(judge([file('manage.conf', MANAGE), file('blue.conf', BLUE)])).toEqual({
    accepted: ['manage.conf', 'blue.conf'],
    errors: '',
    warnings: '',
  });
});

test('two meshes with the same name', () => {
  const { accepted, errors } = judge([file('a.conf', MANAGE), file('b.conf', { ...BLUE, name: 'manage' })]);
  expect(accepted).toEqual([]);
  expect(errors).toMatchInlineSnapshot(`
    "b.conf:1:6: error: name manage is also that of a.conf:1 [MESH_NET_NAME_TWICE]
      1 | name=manage
        |      ^
      rule: Each mesh has a name of its own.
      remedy: Write another name in one of the two files"
  `);
});

test('two meshes with the same VNI', () => {
  const { accepted, errors } = judge([
    file('a.conf', MANAGE),
    file('b.conf', { ...BLUE, vni: '456' }),
    file('c.conf', GREEN),
  ]);
  expect(accepted).toEqual(['c.conf']);
  expect(errors).toMatchInlineSnapshot(`
    "b.conf:3:5: error: vni 456 is also that of a.conf:3 [MESH_NET_VNI_TWICE]
      3 | vni=456
        |     ^
      rule: Each mesh has a vni of its own: it names the devices and keeps the meshes apart on the underlay.
      remedy: Write another vni in one of the two files"
  `);
});

test('two meshes with the same prefix in different spellings', () => {
  const { accepted, errors } = judge([
    file('a.conf', MANAGE),
    file('b.conf', { ...BLUE, prefix: 'FD42:2345:1234:9ABC:0::/64' }),
  ]);
  expect(accepted).toEqual([]);
  expect(errors).toMatchInlineSnapshot(`
    "b.conf:2:8: error: prefix fd42:2345:1234:9abc::/64 is also that of a.conf:2 [MESH_NET_PREFIX_TWICE]
      2 | prefix=FD42:2345:1234:9ABC:0::/64
        |        ^
      rule: Each mesh has a prefix of its own: a node has one route for it.
      remedy: Write another prefix in one of the two files"
  `);
});

test('of three meshes with the same VNI, the third is reported with the first', () => {
  const { accepted, errors } = judge(
    ['a', 'b', 'c'].map((name, i) =>
      file(`${name}.conf`, { name, prefix: `fd42::${i + 1}:0:0:0:0/64`, vni: '7', key: `${i}` }),
    ),
  );
  expect(accepted).toEqual([]);
  expect(errors.match(/^\S+: error.*$/gm)).toMatchInlineSnapshot(`
    [
      "b.conf:3:5: error: vni 7 is also that of a.conf:3 [MESH_NET_VNI_TWICE]",
      "c.conf:3:5: error: vni 7 is also that of a.conf:3 [MESH_NET_VNI_TWICE]",
    ]
  `);
});

test('a shared key is a warning', () => {
  const { accepted, errors, warnings } = judge([file('a.conf', MANAGE), file('b.conf', { ...BLUE, key: '456' })]);
  expect(accepted).toEqual(['a.conf', 'b.conf']);
  expect(errors).toBe('');
  expect(warnings).toMatchInlineSnapshot(`
    "b.conf:4:5: warning: key 456 is also that of a.conf:4 [MESH_NET_KEY_SHARED]
      4 | key=456
        |     ^
      rule: Each mesh should have a key of its own, so that no two meshes derive the same addresses.
      remedy: Write another key in one of the two files before nodes join: it changes their addresses"
  `);
});

test('a prefix of which the underlay uses a part', () => {
  const { accepted, errors } = judge(
    [file('a.conf', MANAGE), file('b.conf', BLUE)],
    ['2001:db8::/32', 'fd42:2345:1234:9abc:1::/80'],
  );
  expect(accepted).toEqual(['b.conf']);
  expect(errors).toMatchInlineSnapshot(`
    "a.conf:2:8: error: prefix fd42:2345:1234:9abc::/64 is used elsewhere: this machine has fd42:2345:1234:9abc:1::/80 on tun0 [MESH_NET_PREFIX_UNDERLAY]
      2 | prefix=fd42:2345:1234:9abc::/64
        |        ^
      rule: A mesh has addresses that the physical network does not use.
      remedy: Take fd42:2345:1234:9abc:1::/80 off tun0, or write another prefix from fd00::/8 in all files of this mesh"
  `);
});

test.each([
  ['a wider subnet of the underlay', 'fd42:2345:1234::/48', true],
  ['a route of a VPN', 'fc00::/7', true],
  ['a route that covers half of all addresses', '8000::/1', true],
  ['an address nearby', 'fd42:2345:1234:9abd::1/128', true],
  ['the same /64', 'fd42:2345:1234:9abc::/64', false],
  ['an address of the /64', 'fd42:2345:1234:9abc::7/128', false],
])('a prefix beside %s', (_, underlay, accepted) => {
  expect(judge([file('a.conf', MANAGE)], [underlay])).toMatchObject({
    accepted: accepted ? ['a.conf'] : [],
    errors: accepted ? '' : expect.stringContaining('MESH_NET_PREFIX_UNDERLAY'),
    warnings: '',
  });
});

test('a network in force is accepted whatever the underlay becomes', () => {
  const files = [file('a.conf', MANAGE), file('b.conf', BLUE)];
  const inForce = judgeNetworkFiles(files.slice(0, 1)).accepted.map(({ network }) => network);
  const { accepted, errors } = judge(files, ['fd42:2345:1234:9abc::7/128', 'fd42:2345:1234:b::/64'], inForce);
  expect(accepted).toEqual(['a.conf']);
  expect(errors).toMatch(/^b\.conf:2:8: error: .*\[MESH_NET_PREFIX_UNDERLAY\]\n[^[]*$/);
});

test('a file with errors does not affect the others', () => {
  const { accepted, errors } = judge([
    file('a.conf', { ...MANAGE, prefix: 'fe80::/64' }),
    file('b.conf', { ...BLUE, vni: '456' }),
  ]);
  expect(accepted).toEqual(['b.conf']);
  expect(errors).toMatch(/^a\.conf:2:8: error: prefix "fe80::\/64" is link-local/);
});
