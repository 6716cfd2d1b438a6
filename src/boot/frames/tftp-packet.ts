/** The TFTP packets that a timeline needs (RFC 1350): which file is asked for, and why it was not given. */
import { textOf } from './dhcp-packet.ts';

/** A request or an error; the texts are printable ASCII. */
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
  return { kind: opcode === RRQ ? 'read' : 'write', file: textOf(bytes.subarray(2, end)) };
}
