/** A word of virsh, or of the draft that came before it: a command that is not in the short help. */
import type { Context } from '../context.ts';

/** The values of a word's options, by the names that commander gives them. */
export type WordOptions = Readonly<Record<string, string | boolean | undefined>>;

/** One word. */
export interface NetWord {
  /** What follows `mesh`: `net-start`, and other spellings of the same. */
  readonly words: readonly string[];
  readonly description: string;
  /** As commander writes them: `<network>`, `[text]`. */
  readonly args: readonly (readonly [argument: string, description: string])[];
  /** As commander writes them: `--all`. */
  readonly options?: readonly (readonly [flags: string, description: string])[];
  /** Carries the word out. @param args the arguments, in their order */
  readonly does: (context: Context, args: readonly (string | undefined)[], options: WordOptions) => Promise<void>;
}

/** An argument that the command line must have given. */
export function given(args: readonly (string | undefined)[], index = 0): string {
  const value = args[index];
  if (value === undefined) throw new TypeError(`argument ${index} is required`);
  return value;
}

/** Which forms of a network an option names; `--current` is what none of them means. */
export function whereIn({ live, config }: WordOptions): { readonly live: boolean; readonly config: boolean } {
  return { live: live === true, config: config === true };
}
