/**
 * Parts the words of `mesh` from those of a command that `mesh` runs. In `mesh lab exec node1 mesh status --json`, all
 * words from the second `mesh` on belong to the other command, as after `docker exec` and `kubectl exec`.
 */

/** The options of `mesh` and of `mesh lab exec` that take a value in the next word. */
const WITH_VALUE = ['--root', '--host0-dir', '--name'];

/** The command line with `--` before the first word of the other command, unless it has one. */
export function withSeparator(words: readonly string[]): readonly string[] {
  const operands: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word === '--') return words;
    if (WITH_VALUE.includes(word)) index++;
    else if (!word.startsWith('-')) {
      // `mesh lab exec HOST COMMAND`: the fourth operand begins the command.
      if (operands.length === 3) return words.toSpliced(index, 0, '--');
      operands.push(word);
      const wanted = ['lab', 'exec'][operands.length - 1];
      if (wanted !== undefined && word !== wanted) return words;
    }
  }
  return words;
}

/** The words that belong to `mesh` itself. */
export function ownWords(words: readonly string[]): readonly string[] {
  const separated = withSeparator(words);
  const end = separated.indexOf('--');
  return end < 0 ? separated : separated.slice(0, end);
}
