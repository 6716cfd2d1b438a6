/** Where the product's own programs are: TypeScript in a checkout, bundles beside this one when built. */
import { fileURLToPath } from 'node:url';

/** The two long-running programs. */
export type Program = 'host0' | 'agent';

const inCheckout = import.meta.url.endsWith('.ts');

export function programFile(program: Program): string {
  return here(inCheckout ? `../../main/${program}.ts` : `./${program}.mjs`);
}

/** Where `mesh` itself is. */
export const commandDirectory = here(inCheckout ? '../../../bin' : '../bin');

function here(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
