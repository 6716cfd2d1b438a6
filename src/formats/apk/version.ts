/**
 * Versions of Alpine packages, compared as apk 3 does (apk-tools, src/version.c):
 *
 *     digits{.digits}[letter]{_suffix[digits]}[~hash][-r digits]
 *
 * Two versions are read part by part until a part differs.
 */

/** The kinds of parts. The numbers are the ranks in which parts follow each other, and by which an ended version compares. */
const FIRST = 0;
const NUMBER = 1;
const LETTER = 2;
const SUFFIX = 3;
const SUFFIX_NUMBER = 4;
const HASH = 5;
const REVISION = 6;
const END = 7;
const INVALID = 8;

interface Part {
  readonly kind: number;
  readonly text: string;
}

/** In ascending order. Those before `NONE` are of versions before a release, the others of versions after it. */
const SUFFIXES = ['alpha', 'beta', 'pre', 'rc', '', 'cvs', 'svn', 'git', 'hg', 'p'];
const NONE = SUFFIXES.indexOf('');
/** Longer than any version, and short enough that reading one takes no time. */
const LENGTH_MAX = 256;

const DIGITS = /\d+/y;
const WORD = /[a-z]+/y;
const HEX = /[\da-f]+/y;
const END_PART: Part = { kind: END, text: '' };
const INVALID_PART: Part = { kind: INVALID, text: '' };

/** Reads the parts of a version from left to right. */
class Parts {
  readonly #text: string;
  #at = 0;
  #kind = -1;

  constructor(text: string) {
    this.#text = text.length > LENGTH_MAX ? '' : text;
  }

  /** The next part; after the last one the end, again and again. */
  next(): Part {
    const part = this.#read();
    this.#kind = part.kind;
    return part;
  }

  #read(): Part {
    if (this.#kind >= END) return this.#kind === END ? END_PART : INVALID_PART;
    if (this.#kind < 0) return this.#take(FIRST, DIGITS, 0);
    const sign = this.#text[this.#at];
    if (sign === undefined) return END_PART;
    if (sign >= '0' && sign <= '9') return this.#kind === SUFFIX ? this.#take(SUFFIX_NUMBER, DIGITS, 0) : INVALID_PART;
    if (sign === '.') return this.#kind > NUMBER ? INVALID_PART : this.#take(NUMBER, DIGITS, 1);
    if (sign === '_') return this.#suffix();
    if (sign === '~') return this.#kind >= HASH ? INVALID_PART : this.#take(HASH, HEX, 1);
    if (sign === '-') {
      const isRevision = this.#kind < REVISION && this.#text[this.#at + 1] === 'r';
      return isRevision ? this.#take(REVISION, DIGITS, 2) : INVALID_PART;
    }
    if (sign < 'a' || sign > 'z' || this.#kind > NUMBER) return INVALID_PART;
    this.#at++;
    return { kind: LETTER, text: sign };
  }

  #suffix(): Part {
    if (this.#kind > SUFFIX_NUMBER) return INVALID_PART;
    const part = this.#take(SUFFIX, WORD, 1);
    return SUFFIXES.includes(part.text) ? part : INVALID_PART;
  }

  /** The part that `pattern` finds after `skip` characters. */
  #take(kind: number, pattern: RegExp, skip: number): Part {
    pattern.lastIndex = this.#at + skip;
    const text = pattern.exec(this.#text)?.[0];
    if (text === undefined) return INVALID_PART;
    this.#at += skip + text.length;
    return { kind, text };
  }
}

/** Whether a text is a version. */
export function isVersion(text: string): boolean {
  const parts = new Parts(text);
  for (;;) {
    const { kind } = parts.next();
    if (kind >= END) return kind === END;
  }
}

/**
 * Less than 0 if `a` is the older version, 0 if both are equal, else more than 0.
 * @param fuzzy `b` also equals every longer version that begins with all parts of `b`
 */
export function compareVersions(a: string, b: string, fuzzy = false): number {
  if (a === b) return 0;
  const left = new Parts(a);
  const right = new Parts(b);
  for (;;) {
    const mine = left.next();
    const other = right.next();
    if (mine.kind !== other.kind) return compareKinds(mine, other, fuzzy);
    if (mine.kind >= END) return 0;
    const difference = comparePart(mine, other);
    if (difference !== 0) return difference;
  }
}

function comparePart({ kind, text }: Part, { text: other }: Part): number {
  if (text === other) return 0;
  if (kind === SUFFIX) return SUFFIXES.indexOf(text) - SUFFIXES.indexOf(other);
  const isText = kind === LETTER || kind === HASH || (kind === NUMBER && (text[0] === '0' || other[0] === '0'));
  if (isText) return text < other ? -1 : 1;
  // Without leading zeros, a longer number is larger; numbers of any length are compared without loss.
  const [x, y] = [text.replace(/^0+/, ''), other.replace(/^0+/, '')];
  if (x.length !== y.length) return x.length - y.length;
  return x === y ? 0 : x < y ? -1 : 1;
}

function compareKinds(mine: Part, other: Part, fuzzy: boolean): number {
  if (fuzzy && other.kind === END) return 0;
  if (isBeforeRelease(mine)) return -1;
  if (isBeforeRelease(other)) return 1;
  return other.kind - mine.kind;
}

function isBeforeRelease({ kind, text }: Part): boolean {
  return kind === SUFFIX && SUFFIXES.indexOf(text) < NONE;
}
