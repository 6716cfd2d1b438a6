/**
 * Changes of the source that put a deliberate bug into it. Files are found by the symbols that they define, so that
 * files may move.
 */
import { dirname, relative } from 'node:path/posix';
import { spansOf } from './folded-text.ts';
import type { SourceTree, SymbolName } from './source-tree.ts';

/** One step of a deliberate bug. The steps are applied in order, each to the tree after the step before. */
export type Change = Edit | Append | Import | NewFile | DocumentEdit;

/** Replaces a few words of a definition. */
interface Edit extends SymbolName {
  readonly kind: 'edit';
  /**
   * Must occur in the text of the symbol exactly once. White space, line breaks and a comma before a bracket are
   * ignored.
   */
  readonly find: string;
  readonly replace: string;
}

/** Adds lines at the end of the module that defines the symbol. */
interface Append extends SymbolName {
  readonly kind: 'append';
  readonly text: string;
}

/** Makes the module that defines the symbol import another symbol from the module that defines that one. */
interface Import extends SymbolName {
  readonly kind: 'import';
  readonly of: SymbolName;
}

/** Adds a new file. */
interface NewFile {
  readonly kind: 'new-file';
  /** From the root of the repository. */
  readonly file: string;
  readonly text: string;
}

/** Replaces a few words of a page. */
interface DocumentEdit {
  readonly kind: 'document';
  /** From the root of the repository. */
  readonly file: string;
  /** Must occur in the page exactly once, letter by letter. */
  readonly find: string;
  readonly replace: string;
}

/** A file with its new text. */
interface ChangedFile {
  /** From the root of the repository. */
  readonly file: string;
  readonly text: string;
}

/**
 * Applies a change to the file that it is about.
 * @throws RangeError when it does not fit the tree exactly once
 */
export function changed(tree: SourceTree, change: Change): ChangedFile {
  switch (change.kind) {
    case 'edit':
      return edited(tree, change);
    case 'append': {
      const { file } = tree.definition(change);
      return appended(tree, file, change.text);
    }
    case 'import': {
      const { file } = tree.definition(change);
      const { file: source } = tree.definition(change.of);
      if (source === file) throw new RangeError(`${file} defines both ${change.symbol} and ${change.of.symbol}`);
      const path = relative(dirname(file), source);
      const specifier = path.startsWith('.') ? path : `./${path}`;
      return appended(tree, file, `import { ${change.of.symbol} } from '${specifier}';\n`);
    }
    case 'new-file':
      if (tree.has(change.file)) throw new RangeError(`${change.file} is there already`);
      return { file: change.file, text: change.text };
    case 'document': {
      const { file, find, replace } = change;
      const text = tree.text(file);
      const count = text.split(find).length - 1;
      if (count !== 1) throw new RangeError(`${file} has ${JSON.stringify(find)} ${count} times`);
      return { file, text: text.replace(find, () => replace) };
    }
  }
}

function edited(tree: SourceTree, change: Edit): ChangedFile {
  const { file, start, end } = tree.definition(change);
  const text = tree.text(file);
  const spans = spansOf(change.find, text.slice(start, end));
  const [span] = spans;
  if (span === undefined || spans.length > 1) {
    const find = JSON.stringify(change.find);
    throw new RangeError(`${change.symbol} in ${file} has ${find} ${spans.length} times`);
  }
  return { file, text: text.slice(0, start + span.start) + change.replace + text.slice(start + span.end) };
}

function appended(tree: SourceTree, file: string, addition: string): ChangedFile {
  const text = tree.text(file);
  if (text.includes(addition)) throw new RangeError(`${file} has ${JSON.stringify(addition)} already`);
  return { file, text: `${text}${addition.endsWith('\n') ? addition : `${addition}\n`}` };
}
