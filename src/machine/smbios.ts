/**
 * Tells identifiers in SMBIOS from the placeholders that makers leave there. The lists hold values that inventory
 * programs (OCS Inventory, GLPI, FusionInventory) found on many different machines.
 */

/** The text of a UUID as Linux prints it in `product_uuid`, in lower case. */
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** UUIDs that many machines share, and why. Each is refused in both byte orders. */
const DUMMY_UUIDS: ReadonlyMap<string, string> = new Map([
  ['00000000-0000-0000-0000-000000000000', 'all zero: the maker set none (SMBIOS 3.7, 7.2.1)'],
  ['ffffffff-ffff-ffff-ffff-ffffffffffff', 'all f: not set yet (SMBIOS 3.7, 7.2.1)'],
  ['fefefefe-fefe-fefe-fefe-fefefefefefe', 'a fill pattern'],
  ['01010101-0101-0101-0101-010101010101', 'a fill pattern'],
  ['00010203-0405-0607-0809-0a0b0c0d0e0f', 'bytes counted up'],
  ['03000200-0400-0500-0006-000700080009', 'the template of AMI firmware'],
  ['03d40274-0435-05dc-8506-010700080009', 'the template of AMI firmware, half filled in'],
  ['12345678-1234-5678-90ab-cddeefaabbcc', 'a template of board makers'],
  ['11111111-2222-3333-4444-555555555555', 'an example'],
  ['deadbeef-dead-beef-dead-beefdeadbeef', 'an example'],
  ['6ab5b300-538d-1014-9fb5-b0684d007b53', 'shared by a whole series of boards'],
]);

/** Serials that many machines share, in lower case. */
const DUMMY_SERIALS: ReadonlySet<string> = new Set([
  'to be filled by o.e.m.',
  'to be filled by oem',
  'default string',
  'default_string',
  'none',
  'n/a',
  'null',
  '(null string)',
  'empty',
  'invalid',
  'unknown',
  'unknow',
  'standard',
  'oem',
  'o.e.m.',
  'not specified',
  'not applicable',
  'not available',
  'not present',
  'not settable',
  'serial number',
  'serial number xxxxxx',
  'board serial number',
  'base board serial number',
  'system serial number',
  'chassis serial number',
  'tulip computers',
  'eval',
  'iatpass',
  '0123456789',
  '12345',
  '123456',
  '1234567',
  '12345678',
  '123456789',
  '1234567890',
  '123456789000',
  '12345678901234567',
  'sn-12345',
  'sn-1234567890',
  'mb-1234567890',
  'sys-1234567890',
  'sys-9876543210',
  'sn-123456fvgv3i0b8o5n6n7k',
]);

const ONE_CHARACTER = /^(.)\1*$/;

/** Why a UUID, given in lower case, identifies no machine; undefined when it may identify one. */
export function uuidFault(uuid: string): string | undefined {
  if (!UUID.test(uuid)) return 'not a UUID';
  return DUMMY_UUIDS.get(uuid) ?? DUMMY_UUIDS.get(swapUuid(uuid));
}

/** Why a serial identifies no machine; undefined when it may identify one. */
export function serialFault(serial: string): string | undefined {
  if (serial === '') return 'empty';
  if (ONE_CHARACTER.test(serial)) return 'one character, repeated';
  return DUMMY_SERIALS.has(serial.toLowerCase()) ? 'a text that makers leave in' : undefined;
}

/**
 * The same 16 bytes with the first three fields in the other byte order. SMBIOS before 2.6 did not define the order, so
 * iPXE, Windows and Linux may print the UUID of one machine in two ways.
 */
export function swapUuid(uuid: string): string {
  return uuid
    .split('-')
    .map((field, i) => (i < 3 ? (field.match(/../g) ?? []).reverse().join('') : field))
    .join('-');
}
