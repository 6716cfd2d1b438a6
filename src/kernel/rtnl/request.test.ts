/** The bytes of requests, compared with golden bytes written by hand. */
import { expect, test } from 'vitest';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { Vni } from '../../model/network/types/vxlan.ts';
import type { KernelOperation } from './operation.ts';
import { encodeOperations } from './request.ts';

const mac = parseMac('02:7e:61:7a:4a:d5');

/** The bytes of one operation in hex, without spaces; link indexes are still 0. */
function hex(operation: KernelOperation): string {
  return Buffer.from(encodeOperations([operation]).request.bytes).toString('hex');
}

/** Golden bytes are written by hand from linux/netlink.h, if_link.h, if_addr.h, rtnetlink.h and neighbour.h. */
function golden(...parts: readonly string[]): string {
  return parts.join('').replaceAll(' ', '');
}

test('a VXLAN is created exclusively, with nested attributes', () => {
  expect(
    hex({
      do: 'link-add',
      kind: 'vxlan',
      name: 'vxlan456',
      mac,
      mtuBytes: 1380,
      master: 'br456',
      vxlan: { vni: 456 as Vni, udpPort: 4789, local: parseIpv4('10.11.0.1'), learning: true, df: 'inherit' },
    }),
  ).toBe(
    golden(
      '88000000 1000 0106 00000000 00000000', // 136 bytes, RTM_NEWLINK, REQUEST|CREATE|EXCL
      '00 00 0000 00000000 00000000 00000000', // ifinfomsg
      '0d00 0300 76786c616e34353600 000000', // IFNAME "vxlan456"
      '0a00 0100 027e617a4ad5 0000', // ADDRESS
      '0800 0400 64050000', // MTU 1380
      '0800 0a00 00000000', // MASTER, by name
      '3c00 1280', // LINKINFO, nested
      '0a00 0100 76786c616e00 0000', // KIND "vxlan"
      '2c00 0280', // DATA, nested
      '0800 0100 c8010000', // ID 456
      '0600 0f00 12b5 0000', // PORT 4789, network byte order
      '0800 0400 0a0b0001', // LOCAL
      '0500 0700 01 000000', // LEARNING
      '0500 1d00 02 000000', // DF inherit
    ),
  );
});

test('a change that needs neither index nor link data addresses the link by name', () => {
  expect(hex({ do: 'link-set', link: 'br456', change: { alias: 'x', up: false } })).toBe(
    golden(
      '34000000 1300 0100 00000000 00000000', // RTM_SETLINK, REQUEST
      '00 00 0000 00000000 00000000 01000000', // IFF_UP is to change, to 0
      '0a00 0300 627234353600 0000', // IFNAME "br456"
      '0600 1400 7800 0000', // IFALIAS "x"
    ),
  );
});

test('the address mode is set before the link is up, and port attributes after the port has joined its bridge', () => {
  const { request } = encodeOperations([
    { do: 'link-set', link: 'tap1', change: { up: true, addressMode: 'none', master: 'br1', port: { locked: true } } },
  ]);
  expect(Buffer.from(request.bytes).toString('hex')).toBe(
    golden(
      '44000000 1300 0100 00000000 00000000', // RTM_SETLINK
      '00 00 0000 00000000 00000000 00000000', // without IFF_UP
      '0900 0300 7461703100 000000', // IFNAME "tap1"
      '0800 0a00 00000000', // MASTER
      '1000 1a80 0c00 0a80 0500 0800 01 000000', // AF_SPEC { AF_INET6 { ADDR_GEN_MODE none } }
      '3c000000 1000 0100 01000000 00000000', // RTM_NEWLINK, for its LINKINFO
      '00 00 0000 00000000 01000000 01000000', // by index; IFF_UP
      '1c00 1280 0b00 0400 62726964676500 00', // LINKINFO { SLAVE_KIND "bridge"
      '0c00 0580 0500 2700 01 000000', // SLAVE_DATA { LOCKED } }
    ),
  );
  expect(request.links.map(({ name }) => name)).toEqual(['br1', 'tap1']);
});

test('an address is added without duplicate detection', () => {
  expect(hex({ do: 'address-add', link: 'br456', address: parseIpv6('fd42::1'), length: 64, nodad: true })).toBe(
    golden(
      '48000000 1400 0105 00000000 00000000', // RTM_NEWADDR, REQUEST|CREATE|REPLACE
      '0a 40 00 00 00000000', // AF_INET6, /64
      '1400 0200 fd420000000000000000000000000001', // LOCAL
      '1400 0100 fd420000000000000000000000000001', // ADDRESS
      '0800 0800 02000000', // FLAGS: NODAD
    ),
  );
});

test('a route carries our protocol, and is removed in any scope', () => {
  const route = { destination: '10.12.0.0/24', gateway: parseIpv4('10.11.0.1'), protocol: 200 } as const;
  const attributes = '0800 0100 0a0c0000 0800 0500 0a0b0001'; // DST, GATEWAY
  expect(hex({ do: 'route-replace', ...route })).toBe(
    golden(
      '2c000000 1800 0105 00000000 00000000', // RTM_NEWROUTE, REQUEST|CREATE|REPLACE
      '02 18 00 00 fe c8 00 01 00000000', // AF_INET /24, main, protocol 200, universe, unicast
      attributes,
    ),
  );
  expect(hex({ do: 'route-delete', ...route })).toBe(
    golden('2c000000 1900 0100 00000000 00000000', '02 18 00 00 fe c8 ff 00 00000000', attributes),
  );
  // The number of a table does not fit into the header.
  expect(hex({ do: 'route-replace', ...route, table: 4789 })).toBe(
    golden(
      '34000000 1800 0105 00000000 00000000',
      '02 18 00 00 00 c8 00 01 00000000',
      attributes,
      '0800 0f00 b5120000', // TABLE
    ),
  );
});

test('a neighbour entry is permanent, extern_learn, and carries its protocol', () => {
  expect(hex({ do: 'neighbour-replace', link: 'br456', address: parseIpv4('10.0.0.7'), mac, protocol: 200 })).toBe(
    golden(
      '38000000 1c00 0105 00000000 00000000', // RTM_NEWNEIGH, REQUEST|CREATE|REPLACE
      '02 00 0000 00000000 8000 10 00', // AF_INET, PERMANENT, EXT_LEARNED
      '0800 0100 0a000007', // DST
      '0a00 0200 027e617a4ad5 0000', // LLADDR
      '0500 0c00 c8 000000', // PROTOCOL 200
    ),
  );
});

test('FDB entries are written in each state', () => {
  const entry = { link: 'vxlan456', mac, externLearn: true } as const;
  const address = '0a00 0200 027e617a4ad5 0000';
  const destination = '0800 0100 0a000007';
  const to = parseIpv4('10.0.0.7');
  expect(hex({ do: 'fdb-replace', table: 'self', ...entry, remoteVtep: to, state: 'dynamic' })).toBe(
    golden(
      '30000000 1c00 0105 00000000 00000000', // REQUEST|CREATE|REPLACE
      '07 00 0000 00000000 0200 12 00', // AF_BRIDGE, REACHABLE, SELF|EXT_LEARNED
      address,
      destination,
    ),
  );
  expect(hex({ do: 'fdb-append', table: 'self', ...entry, remoteVtep: to, state: 'permanent' })).toBe(
    golden(
      '30000000 1c00 010c 00000000 00000000', // REQUEST|CREATE|APPEND
      '07 00 0000 00000000 8000 12 00', // PERMANENT
      address,
      destination,
    ),
  );
  expect(hex({ do: 'fdb-replace', table: 'master', ...entry, externLearn: false, sticky: true, state: 'static' })).toBe(
    golden(
      '28000000 1c00 0105 00000000 00000000',
      '07 00 0000 00000000 4200 44 00', // NOARP|REACHABLE, MASTER|STICKY
      address,
    ),
  );
  expect(hex({ do: 'fdb-delete', table: 'self', ...entry, remoteVtep: to, state: 'permanent' })).toBe(
    golden('30000000 1d00 0100 00000000 00000000', '07 00 0000 00000000 8000 12 00', address, destination),
  );
});

test('deletions', () => {
  expect(hex({ do: 'link-delete', link: 'br456' })).toBe(
    golden(
      '2c000000 1100 0100 00000000 00000000',
      '00000000 00000000 00000000 00000000',
      '0a00 0300 627234353600 0000',
    ),
  );
  expect(hex({ do: 'group-delete', group: 7 })).toBe(
    golden('28000000 1100 0100 00000000 00000000', '00000000 00000000 00000000 00000000', '0800 1b00 07000000'),
  );
});

test('an operation that cannot be encoded does not change the others', () => {
  const lo = { do: 'link-set', link: 'lo', change: { up: true } } as const;
  const bad = { do: 'route-replace', destination: '10.0.0.0/33', link: 'nowhere', protocol: 200 } as const;
  const good = { do: 'link-delete', link: 'a' } as const;
  const { request, refused } = encodeOperations([lo, bad, good]);
  expect([...refused].map(([number, { code }]) => [number, code])).toEqual([[1, 'MESH_ADDRESS_INVALID']]);
  expect(request.links).toEqual([]);
  expect(Buffer.from(request.bytes).toString('hex')).toBe(hex(lo) + hex(good).replace(/^(.{16})00/, '$101'));
});
