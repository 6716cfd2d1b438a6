/**
 * Where the files of this installation are. In a checkout the programs are TypeScript below `src/`; when built, they are
 * bundles, all in the directory of the one that this file is bundled into.
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DaemonName } from '../../protocol/http/control-client.ts';

const inCheckout = import.meta.url.endsWith('.ts');

/** The file of a long-running program, for Node to run. */
export function programFile(program: DaemonName): string {
  return here(inCheckout ? `../../main/${program}.ts` : `./${program}.mjs`);
}

/** Where `mesh` itself is. */
export const commandDirectory = here(inCheckout ? '../../../bin' : '../bin');

/** The scripts of a node's boot. */
export const BOOT_SCRIPTS = here(inCheckout ? './scripts' : './node-boot');

/** Where a node's bundles come from: a script that makes them in a directory of its argument, or the directory that has them. */
export const BUNDLES: { readonly script: string } | { readonly directory: string } = inCheckout
  ? { script: here('../../../packaging/bundle.ts') }
  : { directory: dirname(fileURLToPath(import.meta.url)) };

function here(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
