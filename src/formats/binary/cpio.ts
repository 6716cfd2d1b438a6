/**
 * cpio archives in "new ASCII" format (`newc`), which Linux unpacks as its initramfs. The format is described in the
 * kernel's Documentation/driver-api/early-userspace/buffer-format.rst. The archive depends on the entries alone: every file
 * belongs to root, times are zero, and inodes are numbered from 1.
 */

/** A file, directory or symbolic link of the archive. `path` is relative to the root; `mode` holds the permission bits. */
export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
/** The size of the archive is a multiple of this, so that another archive can be appended. */
const BLOCK_BYTES = 512;

const TYPE = { directory: 0o040000, file: 0o100000, link: 0o120000 } as const;
/** The size field has 8 hex digits. */
const MAX_FILE_BYTES = 0xffff_ffff;

/**
 * The archive, piece by piece. The kernel does not make missing directories: a directory must come before its content.
 * @param entries paths have no leading slash
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
