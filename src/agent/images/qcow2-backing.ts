/** The backing file of a qcow2 file, by its header (docs/interop/qcow2.txt of QEMU). Pure. */

/** What the header says of another file that the emulator opens. */
export interface Qcow2Backing {
  /** A path, or what QEMU takes for one: `json:…`, `nbd:…`. Empty if it cannot be read. */
  readonly name: string;
  /** The format, once for each time that the header names it. QEMU guesses the format that is not named, and takes the last one. */
  readonly formats: readonly string[];
}

/** As many bytes of a file as `qcow2Backing` looks at: the usual size of a cluster, in which the header is. */
export const QCOW2_HEADER_BYTES: number = 64 * 1024;
const VERSION_2_BYTES = 72;
const HEADER_LENGTH_AT = 100;
const NAME_MAX_BYTES = 1023;
const EXTENSION_FORMAT = 0xe2792aca;
const EXTENSION_END = 0;

/**
 * What a qcow2 file is over; undefined for a file that has all of its data.
 * @param head the first `QCOW2_HEADER_BYTES` bytes of a qcow2 file, or all of a shorter one
 */
export function qcow2Backing(head: Buffer): Qcow2Backing | undefined {
  const at = head.readBigUInt64BE(8);
  if (at === 0n) return undefined;
  const length = head.readUInt32BE(16);
  if (length > NAME_MAX_BYTES || at + BigInt(length) > BigInt(head.length)) return { name: '', formats: [] };
  const start = Number(at);
  return { name: head.toString('utf8', start, start + length), formats: formatsIn(head, start) };
}

/** The formats in the extensions, which end where the name begins. */
function formatsIn(head: Buffer, end: number): string[] {
  const formats: string[] = [];
  let at = head.readUInt32BE(4) === 2 ? VERSION_2_BYTES : head.readUInt32BE(HEADER_LENGTH_AT);
  while (at + 8 <= end) {
    const type = head.readUInt32BE(at);
    if (type === EXTENSION_END) break;
    const length = head.readUInt32BE(at + 4);
    if (type === EXTENSION_FORMAT) formats.push(head.toString('utf8', at + 8, at + 8 + length));
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return formats;
}
