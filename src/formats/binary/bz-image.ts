/** The header of a kernel for x86, a bzImage (Documentation/arch/x86/boot.rst of Linux). */

const MAGIC_AT = 0x202;
/** Where the offset of the version is, less 0x200. */
const VERSION_AT = 0x20e;
const SETUP_AT = 0x200;
const VERSION_MAX = 200;

/** Where the number of sectors of the set-up is, and how many a zero means. */
const SETUP_SECTORS_AT = 0x1f1;
const SETUP_SECTORS_DEFAULT = 4;
const SECTOR_BYTES = 512;
/** Where the size of the rest is, in units of 16 bytes. */
const SYSTEM_SIZE_AT = 0x1f4;

/** How many bytes a kernel has at least, as its header says. @param begin of a file that `kernelReleaseOf` knows */
export function kernelBytesOf(begin: Buffer): number {
  const sectors = begin.readUInt8(SETUP_SECTORS_AT) || SETUP_SECTORS_DEFAULT;
  return (sectors + 1) * SECTOR_BYTES + begin.readUInt32LE(SYSTEM_SIZE_AT) * 16;
}

/** What `uname -r` prints on this kernel; undefined for anything else than a kernel. @param begin of the file */
export function kernelReleaseOf(begin: Buffer): string | undefined {
  if (begin.length < VERSION_AT + 2 || begin.toString('latin1', MAGIC_AT, MAGIC_AT + 4) !== 'HdrS') return undefined;
  const at = begin.readUInt16LE(VERSION_AT) + SETUP_AT;
  const text = begin.toString('latin1', at, Math.min(at + VERSION_MAX, begin.length));
  return /^([A-Za-z0-9._+-]{1,80})[ \0]/.exec(text)?.[1];
}
