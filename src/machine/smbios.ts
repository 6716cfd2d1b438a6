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
  ['03000200-0400-0500-0006-000700080009', 'the template of AMI firmware'],
  ['03d40274-0435-05dc-8506-010700080009', 'the template of AMI firmware, half filled in'],
  ['12345678-1234-5678-90ab-cddeefaabbcc', 'a template of board makers'],
  ['12345678-1234-1234-1234-123456789abc', 'an example'],
  ['11111111-2222-3333-4444-555555555555', 'an example'],
  ['f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'the example of RFC 4122'],
  ['4c4c4544-0000-2010-8020-80c04f202020', "Dell's form of a UUID, around a serial of blanks"],
  ['6ab5b300-538d-1014-9fb5-b0684d007b53', 'shared by a whole series of boards'],
]);

/** Serials that many machines share, in lower case. */
const DUMMY_SERIALS: ReadonlySet<string> = new Set([
  'default string',
  'default_string',
  'none',
  'n/a',
  'null',
  '(null string)',
  'empty',
  'default',
  'invalid',
  'na',
  'serial',
  'sn',
  'system serial',
  'board serial',
  'tbd',
  'undefined',
  'unspecified',
  'unknown',
  'unknow',
  'standard',
  'oem',
  'o.e.m',
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
  '123456789000',
  'sn-12345',
  'sn-1234567890',
  'mb-1234567890',
  'sys-1234567890',
  'sys-9876543210',
  'sn-123456fvgv3i0b8o5n6n7k',
]);

const ONE_CHARACTER = /^(.)\1*$/;
/** What makers tell the builder of a machine to do: `To be filled by O.E.M.`, `Enter Serial`. */
const INSTRUCTION = /^(?:to be (?:filled|set)|please|enter|insert|type|fill in)\b/;
const COUNTED_UP = '1234567890'.repeat(6);

/** Why a UUID, given in lower case, identifies no machine; undefined when it may identify one. */
export function uuidFault(uuid: string): string | undefined {
  if (!UUID.test(uuid)) return 'not a UUID';
  const orders = [uuid, swapUuid(uuid)];
  const known = orders.map((order) => DUMMY_UUIDS.get(order)).find((why) => why !== undefined);
  return known ?? orders.map(patternOf).find((why) => why !== undefined);
}

/** The pattern that somebody filled the 16 bytes with. A random UUID has none, except once in 2^64. */
function patternOf(uuid: string): string | undefined {
  const bytes = [...Buffer.from(uuid.replaceAll('-', ''), 'hex')];
  const at = (index: number): number => bytes[index % bytes.length] ?? 0;
  if ([1, 2, 4, 8].some((period) => bytes.every((byte, index) => byte === at(index + period)))) return 'a fill pattern';
  const step = (index: number): number => (at(index + 1) - at(index) + 256) % 256;
  return bytes.slice(1).every((_, index) => step(index) === step(0)) ? 'bytes counted up or down' : undefined;
}

/** Why a serial identifies no machine; undefined when it may identify one. */
export function serialFault(serial: string): string | undefined {
  const text = serial.toLowerCase().replace(/^\s+|[\s.]+$/g, '');
  if (text === '') return serial === '' ? 'empty' : 'one character, repeated';
  if (ONE_CHARACTER.test(text)) return 'one character, repeated';
  if (INSTRUCTION.test(text) || DUMMY_SERIALS.has(text)) return 'a text that makers leave in';
  return text.length > 3 && COUNTED_UP.includes(text) ? 'digits counted up' : undefined;
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
