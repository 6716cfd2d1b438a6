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

/**
 * The iPXE setting that fills each key of the query. SMBIOS type 2 (board), string 7, is the board's serial. Texts are
 * percent-encoded. The UUID must not be, because `:uristring` would encode its 16 bytes instead of their text.
 */
export const HARDWARE_SETTINGS = {
  uuid: 'uuid',
  boardSerial: 'smbios/2.7.0:uristring',
  serial: 'serial:uristring',
  manufacturer: 'manufacturer:uristring',
  product: 'product:uristring',
  architecture: 'buildarch:uristring',
  platform: 'platform:uristring',
} as const satisfies Record<Exclude<keyof Hardware, 'mac'>, string>;

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
  for (const key of Object.keys(HARDWARE_SETTINGS)) {
    const value = query.get(key)?.trim() ?? '';
    if (value.length > VALUE_MAX || !PRINTABLE.test(value)) continue;
    hardware[key] = key === 'uuid' ? value.toLowerCase() : value;
  }
  return { ...hardware, mac: parseMac(mac.replaceAll('-', ':').toLowerCase()) };
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
