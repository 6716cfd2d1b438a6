/** Words of a shell's command line. */

/** Words that a shell reads as they are. */
const PLAIN = /^[\w./:=@%+,-]+$/;

/** The command line with which a POSIX shell runs `argv`: the one way in which text becomes a part of a shell's line. */
export function shellWords(argv: readonly string[]): string {
  return argv.map((word) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}
