/**
 * The words of a list of packages, as Alpine's apk takes them in `/etc/apk/world`: `[!]name[@repository][comparison version]`.
 * apk reads all words at once: one word that it cannot parse, and the machine gets no package at all, not even its init.
 */

import { parseDependency } from '../apk/dependency.ts';

const NAME = /[A-Za-z0-9_./][A-Za-z0-9_./+:-]*/.source;
/** The tag of a repository in `/etc/apk/repositories`. */
const TAG = /@[A-Za-z0-9_.+-]+/.source;
/** apk's versions: `4.5-r0`, `1.2.3b_rc1_p2-r1`, and with a hash behind `~` (apk 2.14, src/version.c). */
const VERSION = /\d+(?:\.\d+)*[a-z]?(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*(?:~[0-9a-f]+)?(?:-r\d+)?/.source;
/** The order of Debian's apt, and of people: the repository last. */
const TAG_LAST = new RegExp(`^(!?${NAME})([<>=~]{1,2}${VERSION})(${TAG})$`);
const WITH_VERSION = new RegExp(`^(!?${NAME}(?:${TAG})?)[<>=~]+`);

/** What is wrong with a word, and what to write in its place. */
export interface PackageFault {
  readonly message: string;
  readonly rule: string;
  readonly remedy: string;
}

/** Why apk would not take a word; undefined when it does. */
export function packageFault(word: string): PackageFault | undefined {
  if (parseDependency(word) !== undefined) return undefined;
  const rule =
    'A package is a name, then perhaps @repository, then perhaps a comparison with a version of Alpine, as in chrony, htop@edge or linux-lts=6.6.50-r0.';
  const message = `${JSON.stringify(word.slice(0, 40))} is not a package`;
  const [, name, version, tag] = TAG_LAST.exec(word) ?? [];
  if (name !== undefined) return { message, rule, remedy: `Write ${name}${tag}${version}` };
  const bare = WITH_VERSION.exec(word)?.[1];
  return { message, rule, remedy: bare === undefined ? 'Put one name on each line' : `Write ${bare}` };
}

/** A word of a list, with its column, which counts from 1. */
export interface ListedWord {
  readonly word: string;
  readonly column: number;
}

/** The words of a line without its comment: `#` at the start of a word begins a comment. */
export function packageWords(line: string): readonly ListedWord[] {
  const text = line.replace(/(?:^|\s)#.*$/, '');
  return Array.from(text.matchAll(/\S+/g), ({ 0: word, index }) => ({ word, column: index + 1 }));
}
