/** The bundles of the daemons and the command that system tests start: made once for all files, before the first. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { bundle, TOP } from '../packaging/bundle.ts';

const PLACE = join(TOP, 'node_modules/.cache/bundles');
/** Other runs of this checkout may still start daemons from bundles that were made within a day. */
const KEPT_MS = 24 * 3_600_000;

/**
 * Bundles this checkout, and names the bundles to all tests by MESH_BUNDLES. Each has a directory named by its content, so that a
 * run finds the compiled code of the last one. With `MESH_BUNDLES=` the tests start the source.
 */
export default async function setup(): Promise<void> {
  if (process.env.MESH_BUNDLES !== undefined) return;
  mkdirSync(PLACE, { recursive: true });
  for (const name of readdirSync(PLACE)) {
    const old = join(PLACE, name);
    if (Date.now() - statSync(old).mtimeMs > KEPT_MS) rmSync(old, { recursive: true, force: true });
  }
  const made = mkdtempSync(join(PLACE, 'new-'));
  // Some tests run the command as another user.
  chmodSync(made, 0o755);
  // Without the commit: it is in the images, and each commit would need new ones.
  await bundle(join(made, 'dist'), () => undefined);
  cpSync(join(TOP, 'bin'), join(made, 'bin'), { recursive: true });
  // The command runs on the Node beside it, as in a package.
  symlinkSync(process.execPath, join(made, 'node'));
  const hash = createHash('sha256');
  for (const file of globSync('{dist,bin}/**', { cwd: made }).sort()) {
    const path = join(made, file);
    if (statSync(path).isFile()) hash.update(`\0${file}\0`).update(readFileSync(path));
  }
  const directory = join(PLACE, hash.digest('hex').slice(0, 16));
  try {
    renameSync(made, directory);
  } catch {
    // An earlier run has made the same.
    rmSync(made, { recursive: true });
    utimesSync(directory, new Date(), new Date());
  }
  process.env.MESH_BUNDLES = join(directory, 'dist');
}
