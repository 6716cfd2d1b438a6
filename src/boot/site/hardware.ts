/** The hardware that a machine names when it asks for its boot script, in the query that `/boot.ipxe` builds. */
import { type Mac, parseMac } from '../../model/address/mac.ts';

/**
 * A machine's hardware in its own words. The texts come from its SMBIOS and are not verified; the MAC is compared with the
 * neighbour table.
 */
export interface Hardware {
  /** The MAC of the network card that it boots from. */
  readonly mac: Mac;
  /** As Linux prints it, lower case. */
  readonly uuid?: string;
  readonly boardSerial?: string;
  readonly serial?: string;
  readonly manufacturer?: string;
  readonly product?: string;
  /** iPXE's `${buildarch}`: `i386`, `x86_64`, `arm64`. */
  readonly architecture?: string;
  /** iPXE's `${platform}`: `pcbios` or `efi`. */
  readonly platform?: string;
}

type Fact = Exclude<keyof Hardware, 'mac'>;

/** The facts that are texts of manufacturers, with the iPXE setting of each. SMBIOS type 2 (board), string 7, is its serial. */
const TEXTS = {
  boardSerial: 'smbios/2.7.0',
  serial: 'serial',
  manufacturer: 'manufacturer',
  product: 'product',
} as const satisfies Partial<Record<Fact, string>>;
const WORDS = {
  uuid: 'uuid',
  architecture: 'buildarch',
  platform: 'platform',
} as const satisfies Partial<Record<Fact, string>>;
/** What the key of a text ends with when its value is in hexadecimal digits. */
const HEX = 'Hex';

/**
 * The iPXE setting that fills each key of the query. Texts are sent in hexadecimal digits: iPXE's `:uristring` leaves `+`, `&`,
 * `=`, `;` and `#` as they are, so that a text with one of these would be cut or changed.
 */
export const HARDWARE_SETTINGS: Readonly<Record<string, string>> = {
  ...WORDS,
  ...Object.fromEntries(Object.entries(TEXTS).map(([fact, setting]) => [`${fact}${HEX}`, `${setting}:hexraw`])),
};

/** SMBIOS strings are short; a longer value does not come from SMBIOS. */
const VALUE_MAX = 128;
const PRINTABLE = /^[\x20-\x7e]+$/;

/**
 * Reads the request of a machine. Values that are too long or not printable are left out.
 * @param mac with dashes, from the path
 * @throws MESH_ADDRESS_INVALID
 */
export function parseHardware(mac: string, query: URLSearchParams): Hardware {
  const hardware: Record<string, string> = {};
  for (const key of [...Object.keys(WORDS), ...Object.keys(TEXTS)]) {
    // The plain key: a script of an earlier version still runs on the machine.
    const value = (hexText(query.get(`${key}${HEX}`)) ?? query.get(key))?.trim() ?? '';
    if (value.length > VALUE_MAX || !PRINTABLE.test(value)) continue;
    hardware[key] = key === 'uuid' ? value.toLowerCase() : value;
  }
  return { ...hardware, mac: parseMac(mac.replaceAll('-', ':').toLowerCase()) };
}

function hexText(digits: string | null): string | undefined {
  return digits === null ? undefined : Buffer.from(digits, 'hex').toString('latin1');
}

/** The machine as messages name it: `QEMU Standard PC (52:54:00:12:34:56)`. */
export function hardwareName({ mac, ...facts }: Hardware): string {
  return `${makeOf(facts) ?? 'machine'} (${mac})`;
}

/** Make and kind of firmware, which machines that boot alike share: `QEMU Standard PC, efi`. At most 128 characters. */
export function modelOf(facts: Omit<Hardware, 'mac'>): string | undefined {
  const make = makeOf(facts);
  const model = make !== undefined && facts.platform !== undefined ? `${make}, ${facts.platform}` : make;
  return model?.slice(0, VALUE_MAX);
}

function makeOf({ manufacturer, product }: Omit<Hardware, 'mac'>): string | undefined {
  return [manufacturer, product].filter((part) => part !== undefined).join(' ') || undefined;
}
