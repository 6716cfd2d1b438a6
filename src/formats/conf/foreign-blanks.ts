/** Blanks that are none for a shell, which takes them as part of a key, of a value or of a command. */
import { MeshError, type SourcePlace } from '../../model/error.ts';
import { pathWord } from '../system-error.ts';

const REPLACE = 'Remove it, or type a plain space in its place';

/** A kind of blank, and what to do about it. */
interface Kind {
  readonly name: string;
  readonly remedy: string;
}

function kindOf(blank: string, file: string): Kind {
  switch (blank) {
    case '\r':
      return {
        name: 'a carriage return (CRLF)',
        remedy: `Save the file with Unix line ends: sed -i 's/\\r$//' ${pathWord(file)}`,
      };
    case '\uFEFF':
      return { name: 'a byte-order mark', remedy: 'Save the file as UTF-8 without a byte-order mark' };
    case '\u00A0':
      return { name: 'a no-break space', remedy: REPLACE };
    case '\v':
      return { name: 'a vertical tab', remedy: REPLACE };
    default: {
      const code = (blank.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      return { name: `the blank U+${code}`, remedy: REPLACE };
    }
  }
}

/** Collects one warning for each kind of blank in a file: where the kind is met first. */
export class ForeignBlanks {
  readonly #first = new Map<string, MeshError>();

  get warnings(): readonly MeshError[] {
    return [...this.#first.values()];
  }

  /** @param uncommented a line without its comment; `place` is the start of the line */
  look(uncommented: string, place: SourcePlace): void {
    for (const { 0: blank, index } of uncommented.matchAll(/[^\S \t]/gu)) {
      if (!this.#first.has(blank)) this.#first.set(blank, warning(blank, { ...place, column: index + 1 }));
    }
  }
}

function warning(blank: string, place: SourcePlace): MeshError {
  const { name, remedy } = kindOf(blank, place.file);
  return new MeshError('MESH_CONF_SHELL', `the line has ${name}, which is no blank for a shell`, {
    rule: 'A network file is also a shell script with the same values, for nodes that have no agent.',
    remedy,
    place,
  });
}
