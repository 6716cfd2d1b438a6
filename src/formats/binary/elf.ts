/** Reads and strips ELF files (System V ABI, chapters 4 and 5), 64-bit and little-endian only, as on x86-64. */

const MAGIC = 0x464c457f;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const PT_LOAD = 1;

const HEADER = { bytes: 64, programOffset: 32, sectionOffset: 40, programCount: 56, sectionCount: 60, namesIndex: 62 };
const PROGRAM = { bytes: 56, type: 0, offset: 8, fileBytes: 32, memoryBytes: 40 };
const PAGE_BYTES = 4096;
const SECTION = { bytes: 64, name: 0, offset: 24, size: 32 };

/** The bytes of a section; undefined if the file has no section of that name, or is not such an ELF file. */
export function elfSection(file: Buffer, name: string): Buffer | undefined {
  if (!isElf(file)) return undefined;
  const at = (index: number) => Number(file.readBigUInt64LE(HEADER.sectionOffset)) + index * SECTION.bytes;
  const content = (index: number) => {
    const offset = Number(file.readBigUInt64LE(at(index) + SECTION.offset));
    return file.subarray(offset, offset + Number(file.readBigUInt64LE(at(index) + SECTION.size)));
  };
  const count = file.readUInt16LE(HEADER.sectionCount);
  if (at(count) > file.length) return undefined;
  const names = content(file.readUInt16LE(HEADER.namesIndex));
  for (let index = 0; index < count; index++) {
    if (cString(names, file.readUInt32LE(at(index) + SECTION.name)) === name) return content(index);
  }
  return undefined;
}

/**
 * A kernel without the zeros that its last loaded segment ends with: variables that the kernel clears itself, and room for its start.
 * An emulator would write them into the guest's memory, which has zeros anyway. A file of another kind is returned unchanged.
 */
export function withoutEmptyEnd(file: Buffer): Buffer {
  if (!isElf(file)) return file;
  const programs = Number(file.readBigUInt64LE(HEADER.programOffset));
  const segments = Array.from({ length: file.readUInt16LE(HEADER.programCount) }, (_, index) => {
    const at = programs + index * PROGRAM.bytes;
    const offset = Number(file.readBigUInt64LE(at + PROGRAM.offset));
    return {
      at,
      offset,
      end: offset + Number(file.readBigUInt64LE(at + PROGRAM.fileBytes)),
      isLoaded: file.readUInt32LE(at + PROGRAM.type) === PT_LOAD,
    };
  });
  const last = segments.filter(({ isLoaded }) => isLoaded).sort((a, b) => b.end - a.end)[0];
  if (last === undefined) return file;
  let end = last.end;
  while (end > last.offset && file[end - 1] === 0) end--;
  const bytes = BigInt(Math.min(Math.ceil((end - last.offset) / PAGE_BYTES) * PAGE_BYTES, last.end - last.offset));
  const changed = Buffer.from(file);
  changed.writeBigUInt64LE(bytes, last.at + PROGRAM.fileBytes);
  changed.writeBigUInt64LE(bytes, last.at + PROGRAM.memoryBytes);
  return strippedProgram(changed);
}

/**
 * A program without the parts that only debuggers read: everything after the last loaded segment, and the section table.
 * The program runs as before. A file of another kind is returned unchanged.
 */
export function strippedProgram(file: Buffer): Buffer {
  if (!isElf(file)) return file;
  const programs = Number(file.readBigUInt64LE(HEADER.programOffset));
  let end = HEADER.bytes;
  for (let index = 0; index < file.readUInt16LE(HEADER.programCount); index++) {
    const at = programs + index * PROGRAM.bytes;
    if (file.readUInt32LE(at + PROGRAM.type) !== PT_LOAD) continue;
    const offset = Number(file.readBigUInt64LE(at + PROGRAM.offset));
    end = Math.max(end, offset + Number(file.readBigUInt64LE(at + PROGRAM.fileBytes)));
  }
  const stripped = Buffer.from(file.subarray(0, end));
  stripped.writeBigUInt64LE(0n, HEADER.sectionOffset);
  stripped.writeUInt16LE(0, HEADER.sectionCount);
  stripped.writeUInt16LE(0, HEADER.namesIndex);
  return stripped;
}

function isElf(file: Buffer): boolean {
  return (
    file.length >= HEADER.bytes && file.readUInt32LE(0) === MAGIC && file[4] === CLASS_64 && file[5] === LITTLE_ENDIAN
  );
}

function cString(bytes: Buffer, start: number): string {
  return bytes.toString('latin1', start, bytes.indexOf(0, start));
}
