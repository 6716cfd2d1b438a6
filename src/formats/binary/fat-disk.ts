/**
 * A disk with a few small files, in the format FAT12 with long names (ECMA-107, and Microsoft's FAT specification 1.03): what a guest's
 * firmware and any operating system can read. The bytes depend on the files alone.
 */

/** A file in the root of the disk. */
export interface FatFile {
  readonly name: string;
  readonly content: Uint8Array;
}

const SECTOR = 512;
/** The geometry of a floppy disk of 1.44 MB, which every driver knows: a sector is a cluster. */
const SECTORS = 2_880;
const FAT_SECTORS = 9;
const FATS = 2;
const ROOT_ENTRIES = 224;
const ENTRY = 32;
const ROOT_AT = (1 + FATS * FAT_SECTORS) * SECTOR;
const DATA_AT = ROOT_AT + ROOT_ENTRIES * ENTRY;
const FIRST_CLUSTER = 2;
const LAST_IN_CHAIN = 0xfff;
const MEDIA = 0xf0;
const ATTRIBUTE = { file: 0x20, label: 0x08, longName: 0x0f } as const;
/** Characters of one entry of a long name, and where each of them stands. */
const LONG_NAME_AT = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/** @throws RangeError when the files do not fit */
export function fatDisk(label: string, files: readonly FatFile[]): Uint8Array {
  const disk = Buffer.alloc(SECTORS * SECTOR);
  writeBootSector(disk, label);
  const chain: number[] = [0xf00 | MEDIA, LAST_IN_CHAIN];
  let entryAt = ROOT_AT;
  const put = (entry: Uint8Array) => {
    if (entryAt + ENTRY > DATA_AT) throw new RangeError('there are too many files for the disk');
    disk.set(entry, entryAt);
    entryAt += ENTRY;
  };
  put(shortEntry(shortName(label), ATTRIBUTE.label, 0, 0));
  for (const [index, { name, content }] of files.entries()) {
    const clusters = Math.ceil(content.length / SECTOR);
    const first = clusters === 0 ? 0 : chain.length;
    const at = DATA_AT + (chain.length - FIRST_CLUSTER) * SECTOR;
    if (at + content.length > disk.length) throw new RangeError(`${name} does not fit on the disk`);
    disk.set(content, at);
    for (let left = clusters; left > 0; left--) chain.push(left === 1 ? LAST_IN_CHAIN : chain.length + 1);
    const short = shortName(`FILE${index + 1}`);
    for (const entry of longEntries(name, short)) put(entry);
    put(shortEntry(short, ATTRIBUTE.file, first, content.length));
  }
  for (let fat = 0; fat < FATS; fat++) writeChain(disk, (1 + fat * FAT_SECTORS) * SECTOR, chain);
  return disk;
}

function writeBootSector(disk: Buffer, label: string): void {
  disk.set([0xeb, 0x3c, 0x90]);
  disk.write('MESHWORK', 3, 'latin1');
  disk.writeUInt16LE(SECTOR, 11);
  disk.set([1, 1, 0, FATS], 13);
  disk.writeUInt16LE(ROOT_ENTRIES, 17);
  disk.writeUInt16LE(SECTORS, 19);
  disk[21] = MEDIA;
  disk.writeUInt16LE(FAT_SECTORS, 22);
  disk.writeUInt16LE(18, 24);
  disk.writeUInt16LE(2, 26);
  // The serial number, the label and the format follow this sign.
  disk[38] = 0x29;
  disk.write(shortName(label), 43, 'latin1');
  disk.write('FAT12   ', 54, 'latin1');
  disk.set([0x55, 0xaa], 510);
}

/** Two numbers of twelve bits in three bytes. */
function writeChain(disk: Buffer, at: number, chain: readonly number[]): void {
  for (const [index, next] of chain.entries()) {
    const place = at + Math.floor(index * 1.5);
    const before = disk.readUInt16LE(place);
    disk.writeUInt16LE(index % 2 === 0 ? (before & 0xf000) | next : (before & 0x000f) | (next << 4), place);
  }
}

/** Eight characters, and three of the extension, which stays empty. */
function shortName(name: string): string {
  return name.toUpperCase().padEnd(11).slice(0, 11);
}

function shortEntry(name: string, attribute: number, cluster: number, bytes: number): Uint8Array {
  const entry = Buffer.alloc(ENTRY);
  entry.write(name, 0, 'latin1');
  entry[11] = attribute;
  entry.writeUInt16LE(cluster, 26);
  entry.writeUInt32LE(bytes, 28);
  return entry;
}

/** The entries of a long name: the last part comes first. */
function longEntries(name: string, short: string): Uint8Array[] {
  let sum = 0;
  for (const byte of Buffer.from(short, 'latin1')) sum = (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff;
  const parts = Math.ceil(name.length / LONG_NAME_AT.length);
  return Array.from({ length: parts }, (_, index) => {
    const part = parts - index;
    const entry = Buffer.alloc(ENTRY);
    entry[0] = index === 0 ? part | 0x40 : part;
    entry[11] = ATTRIBUTE.longName;
    entry[13] = sum;
    for (const [character, at] of LONG_NAME_AT.entries()) {
      const place = (part - 1) * LONG_NAME_AT.length + character;
      // One zero ends the name; what follows it is filled with ones.
      entry.writeUInt16LE(place < name.length ? name.charCodeAt(place) : place === name.length ? 0 : 0xffff, at);
    }
    return entry;
  });
}
