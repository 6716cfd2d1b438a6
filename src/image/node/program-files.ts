/**
 * Where the files of this installation are. In a checkout the programs are TypeScript files below `src/`. In an installed
 * package they are bundles, all in one directory; this file is part of each bundle.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DaemonName } from '../../protocol/http/service-manager.ts';

const inCheckout = import.meta.url.endsWith('.ts');

/**
 * The bundles of this checkout, if the environment names them; the command is beside their directory, as in a package. A bundle
 * starts in half the processor time of the source, which is a thousand modules: the tests start daemons by the hundred.
 */
const bundled = (inCheckout && process.env.MESH_BUNDLES) || undefined;

/** The script of a long-running program, to be run by Node. */
export function programFile(program: DaemonName): string {
  if (bundled !== undefined) return join(bundled, `${program}.mjs`);
  return here(inCheckout ? `../../main/${program}.ts` : `./${program}.mjs`);
}

/** The directory of the command `mesh`. */
export const commandDirectory =
  bundled === undefined ? here(inCheckout ? '../../../bin' : '../bin') : join(bundled, '../bin');

/** The directory of the scripts that boot a node. */
export const BOOT_SCRIPTS = here(inCheckout ? './scripts' : './node-boot');

/** The directory of the scripts of a machine that boots Alpine itself. */
export const ALPINE_SCRIPTS = here(inCheckout ? './alpine-scripts' : './alpine-boot');

/** The directory of what the package for Alpine has besides the programs: `openrc`, `alpine` and `default`. */
export const ALPINE_PACKAGING = here(inCheckout ? '../../../packaging' : './alpine-package');

/** Where a node's bundles come from: a script that writes them to the directory in its argument, or the directory that has them. */
export const BUNDLES: { readonly script: string } | { readonly directory: string } =
  inCheckout && bundled === undefined
    ? { script: here('../../../packaging/bundle.ts') }
    : { directory: bundled ?? dirname(fileURLToPath(import.meta.url)) };

function here(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
