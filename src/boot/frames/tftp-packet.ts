/** The TFTP packets that a timeline needs (RFC 1350): which file is asked for, and why it was not given. */
import { textOf } from './dhcp-packet.ts';

/** A request or an error. The texts are printable ASCII; in the name of a file, other bytes are written as `\xff`. */
export type TftpPacket =
  | { readonly kind: 'read'; readonly file: string }
  | { readonly kind: 'write'; readonly file: string }
  | { readonly kind: 'error'; readonly code: number; readonly text: string };

const RRQ = 1;
const WRQ = 2;
const ERROR = 5;
const TEXT_MAX = 512;

/** Decodes the payload of a UDP datagram. @returns undefined for data, acknowledgements and malformed packets */
export function decodeTftp(bytes: Buffer): TftpPacket | undefined {
  if (bytes.length < 4) return undefined;
  const opcode = bytes.readUInt16BE(0);
  if (opcode === ERROR) {
    return { kind: 'error', code: bytes.readUInt16BE(2), text: textOf(bytes.subarray(4, 4 + TEXT_MAX)) };
  }
  if (opcode !== RRQ && opcode !== WRQ) return undefined;
  const end = bytes.indexOf(0, 2);
  if (end <= 2 || end > TEXT_MAX) return undefined;
  return { kind: opcode === RRQ ? 'read' : 'write', file: escaped(bytes.subarray(2, end)) };
}

/** A name as it came: firmware may add a byte to the name that it was told. */
function escaped(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(/[^\x20-\x5b\x5d-\x7e]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
