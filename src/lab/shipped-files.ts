/** Where the files that come with labs are: topologies, overlays, net set-ups, hooks, and what the guest runs. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** In a checkout beside this file; in an installed package beside the bundles. */
const SHIPPED = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './shipped' : './lab', import.meta.url));

/** The path of a shipped file. */
export function shippedFile(...names: readonly string[]): string {
  return join(SHIPPED, ...names);
}
