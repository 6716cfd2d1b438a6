/** Ethernet addresses: branded text, lower case with colons. */
import { MeshError } from '../error.ts';

/** Six lower-case hex bytes with colons. */
export type Mac = string & { readonly __brand: 'Mac' };

/** The Ethernet address of flood entries in a VXLAN's FDB: they take broadcasts and frames to unknown receivers. */
export const FLOOD_MAC = '00:00:00:00:00:00' as Mac;

const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;

/**
 * An Ethernet address from text in either case.
 * @throws MESH_ADDRESS_INVALID
 */
export function parseMac(text: string): Mac {
  const lower = text.toLowerCase();
  if (MAC.test(lower)) return lower as Mac;
  throw new MeshError('MESH_ADDRESS_INVALID', `${JSON.stringify(text)} is not an Ethernet address`, {
    remedy: 'Write six bytes in hex with colons between them, as in 02:2f:55:d5:07:f4.',
  });
}

/** Whether `text` is the canonical text of one card's address: not a group address, and not all zeros. */
export function isUnicastMac(text: string): text is Mac {
  return MAC.test(text) && text !== FLOOD_MAC && (Number.parseInt(text.slice(0, 2), 16) & 1) === 0;
}

/** Twelve hex digits as an Ethernet address. */
export function macFromHex(hex: string): Mac {
  return (hex.match(/../g) ?? []).join(':') as Mac;
}

/** The 6 bytes of an address. */
export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
}
