/**
 * Takes the kernel out of a bzImage (the kernel's Documentation/arch/x86/boot.rst) that was packed with LZ4. An emulator that starts
 * the kernel itself boots a tenth faster: nothing is unpacked inside.
 */

/** Fields of the setup header. */
const SETUP_SECTORS = 0x1f1;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const SECTOR_BYTES = 512;
/** The legacy frame of LZ4, which has no checksums (lz4_Frame_format.md of LZ4). */
const LZ4_MAGIC = 0x184c2102;
const BLOCK_MAX_BYTES = 8 * 1024 * 1024;
const ELF_MAGIC = 0x464c457f;
const MIN_MATCH = 4;
const LONG = 15;

/** The kernel as an ELF file; undefined for a bzImage that is packed in another way. */
export function kernelOf(image: Buffer): Buffer | undefined {
  if (image.length < PAYLOAD_LENGTH + 4 || image.toString('latin1', 0x202, 0x206) !== 'HdrS') return undefined;
  const start = ((image[SETUP_SECTORS] ?? 0) + 1) * SECTOR_BYTES + image.readUInt32LE(PAYLOAD_OFFSET);
  const end = start + image.readUInt32LE(PAYLOAD_LENGTH);
  if (end > image.length || image.readUInt32LE(start) !== LZ4_MAGIC) return undefined;
  const kernel = unpackLz4(image.subarray(start + 4, end));
  return kernel.length > 4 && kernel.readUInt32LE(0) === ELF_MAGIC ? kernel : undefined;
}

/** Unpacks the blocks of a legacy frame. The last four bytes of the payload are the length of the kernel. */
function unpackLz4(packed: Buffer): Buffer {
  const blocks: Buffer[] = [];
  let at = 0;
  while (at + 8 <= packed.length) {
    const length = packed.readUInt32LE(at);
    at += 4;
    if (length === 0 || at + length > packed.length) break;
    blocks.push(unpackBlock(packed.subarray(at, at + length)));
    at += length;
  }
  return Buffer.concat(blocks);
}

/** Unpacks one block: literals, then a match in what was written, again and again (lz4_Block_format.md). */
function unpackBlock(packed: Buffer): Buffer {
  const block = Buffer.allocUnsafe(BLOCK_MAX_BYTES);
  let [from, to] = [0, 0];
  const longer = (length: number): number => {
    if (length !== LONG) return length;
    let whole = length;
    for (let more = 255; more === 255; ) {
      more = packed[from++] ?? 0;
      whole += more;
    }
    return whole;
  };
  while (from < packed.length) {
    const token = packed[from++] ?? 0;
    const literals = longer(token >> 4);
    packed.copy(block, to, from, from + literals);
    from += literals;
    to += literals;
    if (from >= packed.length) break;
    const distance = packed.readUInt16LE(from);
    from += 2;
    const length = longer(token & LONG) + MIN_MATCH;
    if (distance >= length) block.copyWithin(to, to - distance, to - distance + length);
    else for (let index = 0; index < length; index++) block[to + index] = block[to + index - distance] ?? 0;
    to += length;
  }
  return block.subarray(0, to);
}
