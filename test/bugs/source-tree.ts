/** The modules and pages of a repository, in memory. Symbols are found in any file of src/. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Definition, definitionsIn } from './definition.ts';

/** The name of a definition in `src/`. */
export interface SymbolName {
  /** `Backoff`, `Backoff.failed` or `Backoff.#put`, exported or not. */
  readonly symbol: string;
  /** The room that defines the symbol; needed only where another room has the same name. */
  readonly in?: string;
}

/** A definition and its file. */
interface PlacedDefinition extends Definition {
  /** From the root of the repository. */
  readonly file: string;
}

/** The files that a deliberate bug may change. */
const READ = ['src/**/*.ts', '*.md', 'docs/**/*.md'];

/** The texts of a tree of files. Changes stay in memory. */
export class SourceTree {
  readonly #texts: Map<string, string>;
  /** The definitions in a text: parsing is slow, and copies of a tree have most texts in common. */
  readonly #definitions: Map<string, readonly Definition[]>;

  /** @param texts the text of each file, by its path from the root of the repository */
  constructor(
    texts: Iterable<readonly [file: string, text: string]>,
    definitions = new Map<string, readonly Definition[]>(),
  ) {
    this.#texts = new Map(texts);
    this.#definitions = definitions;
  }

  /** Reads the tree below `root`. */
  static read(root: string): SourceTree {
    const files = globSync(READ, { cwd: root });
    return new SourceTree(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
  }

  /** The same files, to be changed apart from these. */
  copy(): SourceTree {
    return new SourceTree(this.#texts, this.#definitions);
  }

  has(file: string): boolean {
    return this.#texts.has(file);
  }

  /** @throws RangeError when there is no such file */
  text(file: string): string {
    const text = this.#texts.get(file);
    if (text === undefined) throw new RangeError(`there is no ${file}`);
    return text;
  }

  /** Sets the text of a file, which may be new. */
  put(file: string, text: string): void {
    this.#texts.set(file, text);
  }

  /**
   * Finds the only definition of a symbol, outside tests.
   * @throws RangeError when there is none, or more than one
   */
  definition({ symbol, in: room }: SymbolName): PlacedDefinition {
    const folder = room === undefined ? 'src/' : `src/${room}/`;
    const name = /[\w$]+$/.exec(symbol)?.[0] ?? symbol;
    const found: PlacedDefinition[] = [];
    for (const [file, text] of this.#texts) {
      // Parsing is slow. A module that defines the name also contains it.
      if (!file.startsWith(folder) || !/(?<!\.test)\.ts$/.test(file) || !text.includes(name)) continue;
      for (const definition of this.#definitionsIn(text))
        if (definition.symbol === symbol) found.push({ ...definition, file });
    }
    const [definition, second] = found;
    if (definition === undefined) throw new RangeError(`nothing in ${folder} is called ${symbol}`);
    if (second === undefined) return definition;
    const files = found.map(({ file }) => file).join(' and ');
    throw new RangeError(`${symbol} is defined ${found.length} times, in ${files}: name the room with \`in\``);
  }

  #definitionsIn(text: string): readonly Definition[] {
    const known = this.#definitions.get(text) ?? [...definitionsIn(text)];
    this.#definitions.set(text, known);
    return known;
  }
}
