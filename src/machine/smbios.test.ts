/** Telling identifiers in SMBIOS from placeholders. */
import { expect, test } from 'vitest';
import { serialFault, swapUuid, uuidFault } from './smbios.ts';

test.each([
  ['00000000-0000-0000-0000-000000000000', /all zero/],
  ['ffffffff-ffff-ffff-ffff-ffffffffffff', /all f/],
  ['03000200-0400-0500-0006-000700080009', /AMI/],
  ['00020003-0004-0005-0006-000700080009', /AMI/],
  ['11111111-1111-1111-1111-111111111111', /fill pattern/],
  ['20202020-2020-2020-2020-202020202020', /fill pattern/],
  ['fefefefe-fefe-fefe-fefe-fefefefefefe', /fill pattern/],
  ['deadbeef-dead-beef-dead-beefdeadbeef', /fill pattern/],
  ['efbeadde-adde-efbe-dead-beefdeadbeef', /fill pattern/],
  ['01234567-89ab-cdef-0123-456789abcdef', /fill pattern/],
  ['00010203-0405-0607-0809-0a0b0c0d0e0f', /counted up/],
  ['03020100-0504-0706-0809-0a0b0c0d0e0f', /counted up/],
  ['00112233-4455-6677-8899-aabbccddeeff', /counted up/],
  ['4c4c4544-0000-2010-8020-80c04f202020', /serial of blanks/],
  ['44454c4c-0000-1020-8020-80c04f202020', /serial of blanks/],
  ['4c4c4544-0042-3510-8053', /not a UUID/],
  ['', /not a UUID/],
])('UUID %j identifies no machine', (uuid, why) => {
  expect(uuidFault(uuid)).toMatch(why);
});

test('a real UUID identifies a machine', () => {
  expect(uuidFault('4c4c4544-0042-3510-8053-b4c04f564433')).toBeUndefined();
  // Zeros and the MAC of the board, as Supermicro makes them.
  expect(uuidFault('00000000-0000-0000-0000-ac1f6b123456')).toBeUndefined();
});

test.each([
  'To be filled by O.E.M.',
  'To Be Filled By O.E.M',
  'O.E.M',
  'O.E.M.',
  'Enter Serial',
  'Please enter the serial number',
  'Default string',
  'System Serial Number ',
  '0123456789',
  '123456789',
  '12345678901234567890',
  'None',
  'Not Specified',
  '',
  '0',
  '.........',
  'XXXXXXX',
])('serial %j identifies no machine', (serial) => {
  expect(serialFault(serial)).toBeTypeOf('string');
});

test('a real serial identifies a machine', () => {
  for (const serial of ['/8V5DTR1/CN7016308V00E8/', 'ZM172S012345', '140731', 'Entero-17', '234']) {
    expect(serialFault(serial)).toBeUndefined();
  }
});

test('swapping changes the byte order of three fields, and swapping twice changes nothing', () => {
  const uuid = '4c4c4544-0042-3510-8053-b4c04f564433';
  expect(swapUuid(uuid)).toBe('44454c4c-4200-1035-8053-b4c04f564433');
  expect(swapUuid(swapUuid(uuid))).toBe(uuid);
});
