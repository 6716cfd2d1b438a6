/** What a disk image is, by its first bytes. A file's name and what `qemu-img` guesses say nothing: it calls any file raw. */
import { MeshError } from '../../model/error.ts';

/** A disk image that a virtual machine can use. */
export interface ImageKind {
  readonly format: 'qcow2' | 'raw';
  /** The size of the disk that a guest sees. */
  readonly diskBytes: number;
}

/** A disk is a row of such sectors. */
const SECTOR_BYTES = 512;
/** As many bytes of a file as `imageKind` looks at: a sector. */
export const IMAGE_HEAD_BYTES: number = SECTOR_BYTES;
/** The headers of the versions of qcow2, by their numbers (docs/interop/qcow2.txt of QEMU). */
const QCOW2_HEADER_BYTES: ReadonlyMap<number, number> = new Map([
  [2, 72],
  [3, 104],
]);
/** A sector in which a text has only letters, digits, signs, blanks and line breaks, in ASCII or in UTF-8. */
const TEXT = /^[\t\n\f\r\x20-\x7e\x80-\xf4]+$/;
const EXTERNAL_DATA = 1n << 2n;

/** Beginnings of files that people take for disk images. */
const OTHERS: readonly (readonly [beginning: readonly number[], what: string, remedy: string])[] = [
  [[0x1f, 0x8b], 'compressed with gzip', 'Unpack it first (`gunzip`), and give that file.'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'compressed with xz', 'Unpack it first (`xz -d`), and give that file.'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'compressed with zstd', 'Unpack it first (`zstd -d`), and give that file.'],
  [[0x42, 0x5a, 0x68], 'compressed with bzip2', 'Unpack it first (`bunzip2`), and give that file.'],
  [[0x50, 0x4b, 0x03, 0x04], 'a ZIP archive', 'Unpack it first (`unzip`), and give the image in it.'],
  [[0x4b, 0x44, 0x4d, 0x56], 'a VMDK image', 'Convert it first: qemu-img convert -O qcow2 OLD NEW.'],
  [
    [0x51, 0x46, 0x49, 0xfb],
    'a qcow2 image of an unknown version',
    'Convert it first: qemu-img convert -O qcow2 OLD NEW.',
  ],
];

/**
 * Judges an image by its head and its size.
 * @param head the first `IMAGE_HEAD_BYTES` bytes, or all of a shorter file
 * @throws MESH_DISK_IMAGE_UNFIT
 */
export function imageKind(head: Buffer, sizeBytes: number, source: string): ImageKind {
  const unfit = (what: string, remedy: string): MeshError =>
    new MeshError('MESH_DISK_IMAGE_UNFIT', `${source} is ${what}`, {
      object: source,
      rule: 'A disk image is a qcow2 file without a backing file, a raw disk, or an ISO 9660 file.',
      remedy,
    });
  if (sizeBytes === 0) throw unfit('empty', 'Look at the source.');
  if (isQcow2(head)) {
    if (head.readBigUInt64BE(8) !== 0n) {
      throw unfit('a qcow2 image over another file', 'Flatten it first: qemu-img convert -O qcow2 OLD NEW.');
    }
    if (head.readUInt32BE(4) === 3 && (head.readBigUInt64BE(72) & EXTERNAL_DATA) !== 0n) {
      throw unfit(
        'a qcow2 image with its data in another file',
        'Convert it first: qemu-img convert -O qcow2 OLD NEW.',
      );
    }
    if (head.readUInt32BE(32) !== 0) throw unfit('encrypted', 'Convert it to an image without encryption.');
    return { format: 'qcow2', diskBytes: Number(head.readBigUInt64BE(24)) };
  }
  for (const [beginning, what, remedy] of OTHERS) {
    if (beginning.every((byte, at) => head[at] === byte)) throw unfit(what, remedy);
  }
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(head.toString('latin1'))) {
    throw unfit(
      'a web page',
      'Open the address in a browser: it may ask for a login, or be that of a page about the image.',
    );
  }
  const disk = 'Name a file that is an image of a disk: `qemu-img info FILE` says what a file is.';
  if (sizeBytes % SECTOR_BYTES !== 0) {
    throw unfit(`no disk: its ${sizeBytes} bytes are no whole number of sectors of ${SECTOR_BYTES} bytes`, disk);
  }
  if (TEXT.test(head.subarray(0, SECTOR_BYTES).toString('latin1'))) throw unfit('a text, and no disk', disk);
  return { format: 'raw', diskBytes: sizeBytes };
}

/** Whether a file is a qcow2 image of a known version. @param head its first `IMAGE_HEAD_BYTES` bytes, or more */
export function isQcow2(head: Buffer): boolean {
  if (head.length < 8 || head.readUInt32BE(0) !== 0x514649fb) return false;
  return head.length >= (QCOW2_HEADER_BYTES.get(head.readUInt32BE(4)) ?? Number.POSITIVE_INFINITY);
}
