/** Telling identifiers in SMBIOS from placeholders. */
import { expect, test } from 'vitest';
import { serialFault, swapUuid, uuidFault } from './smbios.ts';

test.each([
  ['00000000-0000-0000-0000-000000000000', /all zero/],
  ['ffffffff-ffff-ffff-ffff-ffffffffffff', /all f/],
  ['03000200-0400-0500-0006-000700080009', /AMI/],
  ['00020003-0004-0005-0006-000700080009', /AMI/],
  ['4c4c4544-0042-3510-8053', /not a UUID/],
  ['', /not a UUID/],
])('UUID %j identifies no machine', (uuid, why) => {
  expect(uuidFault(uuid)).toMatch(why);
});

test('a real UUID identifies a machine', () => {
  expect(uuidFault('4c4c4544-0042-3510-8053-b4c04f564433')).toBeUndefined();
});

test.each([
  'To be filled by O.E.M.',
  'Default string',
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
  expect(serialFault('/8V5DTR1/CN7016308V00E8/')).toBeUndefined();
});

test('swapping changes the byte order of three fields, and swapping twice changes nothing', () => {
  const uuid = '4c4c4544-0042-3510-8053-b4c04f564433';
  expect(swapUuid(uuid)).toBe('44454c4c-4200-1035-8053-b4c04f564433');
  expect(swapUuid(swapUuid(uuid))).toBe(uuid);
});
