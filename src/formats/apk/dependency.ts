/**
 * The words of dependencies, of `/etc/apk/world` and of what packages provide:
 *
 *     [!]name[@tag][comparison version]
 *
 * `!` forbids what the rest means. A name may have a namespace before a colon, such as `so:` or `cmd:`, or be a path.
 */
import { compareVersions, isVersion } from './version.ts';

/** How a version is compared. `checksum` names one package by the checksum of its control data. */
export type Comparison = '<' | '<=' | '=' | '>=' | '>' | '~' | '<~' | '>~' | 'checksum';

/** One word, in its parts. */
export interface Dependency {
  readonly name: string;
  /** Whatever the rest means must not be installed. */
  readonly conflict: boolean;
  /** The tag of a repository, without `@`. */
  readonly tag?: string;
  readonly comparison?: Comparison;
  /** A version, or a checksum with `Q1` before it. There exactly if `comparison` is. */
  readonly version?: string;
}

/** What a package provides: its own name, or another one. */
export interface Provided {
  readonly name: string;
  /** Absent for a name without a version: such a provider is not chosen by itself. */
  readonly version?: string;
}

const NAME = /^[A-Za-z0-9_./][A-Za-z0-9_./+:-]*/;
const TAG = /^[A-Za-z0-9_.+-]+$/;
const ANY_NAME = /^[^@<>=~\s]+/;
const ANY_TAG = /^@([^<>=~\s]+)/;
const CHECKSUM = /^Q1[A-Za-z0-9+/=]+$/;
const WORD_MAX = 1000;
/** Nearly all of the forty thousand words of an index: a name, and perhaps a version. */
const PLAIN = /^[^!@<>=~\s][^@<>=~\s]*(?:=[^@<>=~\s]+)?$/;

const COMPARISONS: ReadonlyMap<string, Comparison> = new Map<string, Comparison>([
  ...(['<', '<=', '=', '>=', '>', '~', '<~', '>~'] as const).map((sign) => [sign, sign] as const),
  ['=~', '~'],
  ['~=', '~'],
  ['><', 'checksum'],
]);

/**
 * A word that a person has written, as in `/etc/apk/world`.
 * @returns undefined for a text that apk cannot parse
 */
export function parseDependency(word: string): Dependency | undefined {
  const found = readDependency(word);
  if (found === undefined || NAME.exec(found.name)?.[0] !== found.name) return undefined;
  if (found.tag !== undefined && !TAG.test(found.tag)) return undefined;
  const { comparison, version = '' } = found;
  const isSound = comparison === undefined || (comparison === 'checksum' ? CHECKSUM.test(version) : isVersion(version));
  return isSound ? found : undefined;
}

/**
 * A word of an index. Names there may have any sign, and a version may be none by apk's own rule: 69 words of Alpine 3.19 are so.
 * @returns undefined for a text without a name, or with an unknown comparison
 */
export function readDependency(word: string): Dependency | undefined {
  if (word.length > WORD_MAX) return undefined;
  const conflict = word.startsWith('!');
  let rest = conflict ? word.slice(1) : word;
  const name = ANY_NAME.exec(rest)?.[0];
  if (name === undefined) return undefined;
  rest = rest.slice(name.length);
  const [tagged = '', tag] = ANY_TAG.exec(rest) ?? [];
  const known = { name, conflict, ...(tag !== undefined && { tag }) };
  rest = rest.slice(tagged.length);
  if (rest === '') return known;
  const signs = /^[<>=~]+/.exec(rest)?.[0] ?? '';
  const comparison = COMPARISONS.get(signs);
  const version = rest.slice(signs.length);
  return comparison === undefined || version === '' ? undefined : { ...known, comparison, version };
}

/** The word that means the dependency. */
export function dependencyText({ name, conflict, tag, comparison, version = '' }: Dependency): string {
  const sign = comparison === 'checksum' ? '><' : (comparison ?? '');
  return `${conflict ? '!' : ''}${name}${tag === undefined ? '' : `@${tag}`}${sign}${version}`;
}

/** A word of a package's `provides`. @returns undefined for a text that provides nothing */
export function parseProvided(word: string): Provided | undefined {
  if (PLAIN.test(word) && word.length <= WORD_MAX) {
    const equals = word.indexOf('=');
    return equals < 0 ? { name: word } : { name: word.slice(0, equals), version: word.slice(equals + 1) };
  }
  const found = readDependency(word);
  if (found === undefined || found.conflict || found.tag !== undefined) return undefined;
  if (found.comparison !== undefined && found.comparison !== '=') return undefined;
  return { name: found.name, ...(found.version !== undefined && { version: found.version }) };
}

/**
 * Whether a provided name is what a dependency names, without regard to `conflict`.
 * @param checksum that of the package which provides the name, with `Q1` before it
 */
export function isNamed({ comparison, version = '' }: Dependency, provided: Provided, checksum: string): boolean {
  if (comparison === undefined) return true;
  if (comparison === 'checksum') return version === checksum;
  // A name without a version has none that could be compared.
  if (provided.version === undefined) return false;
  const order = compareVersions(provided.version, version, comparison.includes('~'));
  return (
    (order === 0 && comparison !== '<' && comparison !== '>') ||
    (order < 0 && comparison.startsWith('<')) ||
    (order > 0 && comparison.startsWith('>'))
  );
}

/** The words of a list in an index, which are separated by blanks. */
export function wordsOf(text: string): readonly string[] {
  return text.split(' ').filter((word) => word !== '');
}
