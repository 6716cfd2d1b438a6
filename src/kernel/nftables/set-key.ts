/**
 * The elements of nft sets as the kernel holds them: from nft's own text to bytes. Only for the types that our tables have; a
 * set of another type is left to nft.
 */
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import { ipToBytes } from '../ip.ts';

/** IFNAMSIZ. A name fills it up with zeros. */
const NAME_BYTES = 16;
const MAC_BYTES = 6;
/** NFT_REG32_SIZE: each part of a concatenation begins at a multiple of this. */
const PART_ALIGNMENT = 4;
const RAW = /^@(?:ll|nh|th),\d+,(\d+)$/;

/** Verdict codes: NF_DROP and NF_ACCEPT of linux/netfilter.h, NFT_JUMP and NFT_GOTO of linux/netfilter/nf_tables.h. */
const VERDICTS: Readonly<Record<string, number>> = { drop: 0, accept: 1, jump: -3, goto: -4 };

/** What a verdict map says of a key. */
export interface ElementVerdict {
  readonly code: number;
  /** For jump and goto. */
  readonly chain?: string;
}

/** One element as the kernel holds it. */
export interface ElementBytes {
  readonly key: Uint8Array;
  readonly verdict?: ElementVerdict;
}

type Part = (text: string) => Uint8Array;

/**
 * Reads the elements of one set.
 * @throws MESH_INTERNAL for a text that is no element of this type
 */
export type ElementReader = (text: string) => ElementBytes;

/**
 * How to read the elements of a set.
 * @param declaration of the set, as nft reads it: `type ipv4_addr`, `type ifname : verdict; size 16`
 * @returns undefined for a type that this file does not know
 */
export function elementReader(declaration: string): ElementReader | undefined {
  const [, types = '', data] = /^type(?:of)? ([^:;]+?)(?: : (\w+))?(?:;.*)?$/.exec(declaration) ?? [];
  const parts = types.split(' . ').map(partOf);
  if ((data !== undefined && data !== 'verdict') || parts.some((part) => part === undefined)) return undefined;
  return (text) => {
    const [keyText = '', verdictText] = data === undefined ? [text] : text.split(/ : /);
    const key = keyOf(parts, keyText);
    return verdictText === undefined ? { key } : { key, verdict: verdictOf(verdictText) };
  };
}

function keyOf(parts: readonly (Part | undefined)[], text: string): Uint8Array {
  const texts = text.split(' . ');
  if (texts.length !== parts.length) throw notElement(text);
  const values = parts.flatMap((part, i) => part?.(texts[i] ?? '') ?? []);
  return values.length === 1 ? (values[0] ?? Buffer.alloc(0)) : Buffer.concat(values.map(padded));
}

function padded(bytes: Uint8Array): Buffer {
  const whole = Buffer.alloc(Math.ceil(bytes.length / PART_ALIGNMENT) * PART_ALIGNMENT);
  whole.set(bytes);
  return whole;
}

function partOf(type: string): Part | undefined {
  switch (type) {
    case 'ipv4_addr':
      return (text) => ipToBytes(parseIpv4(text));
    case 'ipv6_addr':
      return (text) => ipToBytes(parseIpv6(text));
    case 'ether_addr':
      return (text) => Buffer.from(parseMac(text).replaceAll(':', ''), 'hex').subarray(0, MAC_BYTES);
    case 'ifname':
    case 'iifname':
      return nameBytes;
    default: {
      const bits = Number(RAW.exec(type)?.[1]);
      return bits > 0 && bits % 8 === 0 ? (text) => numberBytes(text, bits / 8) : undefined;
    }
  }
}

function nameBytes(text: string): Uint8Array {
  const name = /^"([^"]*)"$/.exec(text)?.[1];
  const bytes = Buffer.alloc(NAME_BYTES);
  if (name === undefined || Buffer.byteLength(name) >= NAME_BYTES) throw notElement(text);
  bytes.write(name);
  return bytes;
}

/** A number of a packet, in network byte order. */
function numberBytes(text: string, length: number): Uint8Array {
  if (!/^(?:0x[0-9a-f]+|\d+)$/.test(text)) throw notElement(text);
  const digits = BigInt(text)
    .toString(16)
    .padStart(2 * length, '0');
  if (digits.length > 2 * length) throw notElement(text);
  return Buffer.from(digits, 'hex');
}

function verdictOf(text: string): ElementVerdict {
  const [word = '', chain] = text.split(' ');
  const code = VERDICTS[word];
  if (code === undefined || code < 0 !== (chain !== undefined)) throw notElement(text);
  return { code, ...(chain !== undefined && { chain }) };
}

function notElement(text: string): MeshError {
  return new MeshError('MESH_INTERNAL', `${JSON.stringify(text.slice(0, 100))} is no element of its nft set`);
}
