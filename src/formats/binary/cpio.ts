/**
 * The archive that Linux unpacks into its first root: cpio, "new ASCII" (`newc`) format. Documentation/driver-api/
 * early-userspace/buffer-format.rst of the kernel describes it. What is written depends on the entries alone: every
 * file belongs to root, no time is kept, inodes are counted.
 */

export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
/** Of the whole archive: a multiple of what the kernel expects where another archive is appended. */
const BLOCK_BYTES = 512;

const TYPE = { directory: 0o040000, file: 0o100000, link: 0o120000 } as const;
/** Fields have 8 hex digits. */
const MAX_FILE_BYTES = 0xffff_ffff;

/**
 * The archive, piece by piece. The kernel makes no missing directory: each has to be given before what is in it.
 * @param entries with paths relative to the root, without a leading slash
 */
export function* cpio(entries: Iterable<CpioEntry>): Generator<Uint8Array> {
  let written = 0;
  let inode = 0;
  for (const entry of entries) {
    const content = contentOf(entry);
    const mode = TYPE[entry.kind] | (entry.kind === 'link' ? 0o777 : entry.mode);
    const header = headerOf(entry.path, ++inode, mode, entry.kind === 'directory' ? 2 : 1, content.length);
    const padding = Buffer.alloc(paddingOf(content.length, 4));
    yield header;
    yield content;
    yield padding;
    written += header.length + content.length + padding.length;
  }
  const trailer = headerOf(TRAILER, 0, 0, 1, 0);
  yield trailer;
  yield Buffer.alloc(paddingOf(written + trailer.length, BLOCK_BYTES));
}

function contentOf(entry: CpioEntry): Uint8Array {
  switch (entry.kind) {
    case 'directory':
      return Buffer.alloc(0);
    case 'link':
      return Buffer.from(entry.target);
    case 'file':
      return entry.content;
  }
}

function headerOf(path: string, inode: number, mode: number, links: number, bytes: number): Uint8Array {
  if (bytes > MAX_FILE_BYTES) throw new RangeError(`${path} has ${bytes} bytes, more than cpio can hold`);
  const name = Buffer.from(`${path}\0`);
  const root = 0;
  const time = 0;
  const device = 0;
  const checksum = 0;
  const fields = [inode, mode, root, root, links, time, bytes, device, device, device, device, name.length, checksum];
  const header = Buffer.from(MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join(''));
  return Buffer.concat([header, name, Buffer.alloc(paddingOf(header.length + name.length, 4))]);
}

function paddingOf(bytes: number, multiple: number): number {
  return (multiple - (bytes % multiple)) % multiple;
}
