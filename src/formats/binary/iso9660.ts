/**
 * A CD image (ECMA-119, known as ISO 9660) of a few small files in one directory. Each name stands in it twice: in the plain directory,
 * and in that of Joliet, which keeps its letters and hyphens. Linux, the BSDs and Windows read one of the two.
 */

/** A file of the image. */
export interface IsoFile {
  /** At most 64 letters, digits, dots and hyphens. */
  readonly name: string;
  readonly content: Buffer;
}

const SECTOR = 2048;
/** Sectors 0 to 15 belong to the system that boots from a CD. */
const FIRST = 16;
/** The plain descriptor, that of Joliet, and the end of the list. */
const DESCRIPTORS = 3;
const JOLIET_LEVEL_3 = '%/E';

/** What differs between the two directories. */
interface Naming {
  readonly text: (words: string) => Buffer;
  readonly fill: Buffer;
  readonly escapes: string;
}

const PLAIN: Naming = {
  text: (words) => Buffer.from(words, 'latin1'),
  fill: Buffer.from(' '),
  escapes: '',
};
const JOLIET: Naming = {
  text: (words) => Buffer.from(words, 'utf16le').swap16(),
  fill: Buffer.from([0, 0x20]),
  escapes: JOLIET_LEVEL_3,
};

/**
 * Makes the image. The same files give the same image.
 * @param label the name of the volume: at most 16 characters
 */
export function iso9660(label: string, files: readonly IsoFile[]): Buffer {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  // Behind the descriptors: two path tables and one directory for each naming, and then the files.
  const tables = FIRST + DESCRIPTORS;
  const directories = tables + 4;
  let next = directories + 2;
  const placed = sorted.map((file) => {
    const sector = next;
    next += Math.ceil(file.content.length / SECTOR);
    return { ...file, sector };
  });
  const image = Buffer.alloc(next * SECTOR);
  for (const [index, naming] of [PLAIN, JOLIET].entries()) {
    const directory = directories + index;
    const table = tables + 2 * index;
    const root = directoryRecord(Buffer.from([0]), directory, SECTOR, true);
    descriptor(naming, label, index + 1, next, table, root).copy(image, (FIRST + index) * SECTOR);
    pathTable(directory, 'LE').copy(image, table * SECTOR);
    pathTable(directory, 'BE').copy(image, (table + 1) * SECTOR);
    const records = [
      root,
      directoryRecord(Buffer.from([1]), directory, SECTOR, true),
      ...placed.map(({ name, content, sector }) => {
        const shown = naming === PLAIN ? `${name.toUpperCase()}${name.includes('.') ? '' : '.'};1` : name;
        return directoryRecord(naming.text(shown), sector, content.length, false);
      }),
    ];
    Buffer.concat(records).copy(image, directory * SECTOR);
  }
  image.write('\xffCD001\x01', (FIRST + 2) * SECTOR, 'latin1');
  for (const { content, sector } of placed) content.copy(image, sector * SECTOR);
  return image;
}

/** ECMA-119 §8.4 and §8.5. */
function descriptor(
  { text, fill, escapes }: Naming,
  label: string,
  kind: number,
  sectors: number,
  table: number,
  root: Buffer,
): Buffer {
  const made = Buffer.alloc(SECTOR);
  const words = (at: number, length: number, content: string): void => {
    made.fill(fill, at, at + length);
    text(content).copy(made, at, 0, length);
  };
  made.write(`${String.fromCharCode(kind)}CD001\x01`, 'latin1');
  words(8, 32, '');
  words(40, 32, label);
  both32(sectors).copy(made, 80);
  made.write(escapes, 88, 'latin1');
  both16(1).copy(made, 120);
  both16(1).copy(made, 124);
  both16(SECTOR).copy(made, 128);
  both32(TABLE_BYTES).copy(made, 132);
  made.writeUInt32LE(table, 140);
  made.writeUInt32BE(table + 1, 148);
  root.copy(made, 156);
  for (const [at, length] of [
    [190, 128],
    [318, 128],
    [446, 128],
    [574, 128],
    [702, 37],
    [739, 37],
    [776, 37],
  ] as const) {
    words(at, length, '');
  }
  // No times: the image has none.
  for (const at of [813, 830, 847, 864]) made.write('0000000000000000\0', at, 'latin1');
  made[881] = 1;
  return made;
}

/** The table of one directory. */
const TABLE_BYTES = 10;

function pathTable(directory: number, order: 'LE' | 'BE'): Buffer {
  const made = Buffer.alloc(TABLE_BYTES);
  made[0] = 1;
  if (order === 'LE') {
    made.writeUInt32LE(directory, 2);
    made.writeUInt16LE(1, 6);
  } else {
    made.writeUInt32BE(directory, 2);
    made.writeUInt16BE(1, 6);
  }
  return made;
}

/** ECMA-119 §9.1: a record has an even length. */
function directoryRecord(name: Buffer, sector: number, bytes: number, isDirectory: boolean): Buffer {
  const made = Buffer.alloc(33 + name.length + ((name.length + 1) % 2));
  made[0] = made.length;
  both32(sector).copy(made, 2);
  both32(bytes).copy(made, 10);
  made[25] = isDirectory ? 2 : 0;
  both16(1).copy(made, 28);
  made[32] = name.length;
  name.copy(made, 33);
  return made;
}

/** A number in both byte orders. */
function both32(value: number): Buffer {
  const made = Buffer.alloc(8);
  made.writeUInt32LE(value);
  made.writeUInt32BE(value, 4);
  return made;
}

function both16(value: number): Buffer {
  const made = Buffer.alloc(4);
  made.writeUInt16LE(value);
  made.writeUInt16BE(value, 2);
  return made;
}
