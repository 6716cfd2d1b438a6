/** What of ours a node runs, and where it comes from: bundled for the purpose in a checkout, beside this bundle when built. */
import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MeshError } from '../../model/error.ts';
import { programOutput } from '../packages/program-output.ts';

const inCheckout = import.meta.url.endsWith('.ts');

/** The scripts of a node's boot. */
export const BOOT_SCRIPTS = here(inCheckout ? './scripts' : './node-boot');

/** Puts `dist` and `bin` into the directory. */
export async function installPrograms(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const dist = join(directory, 'dist');
  if (inCheckout) await programOutput(process.execPath, here('../../../packaging/bundle.ts'), dist);
  else await cp(dirname(fileURLToPath(import.meta.url)), dist, { recursive: true });
  await cp(here(inCheckout ? '../../../bin' : '../bin'), join(directory, 'bin'), { recursive: true });
}

/**
 * The Node that this process runs on, which is carried into the image as it is.
 * @throws MESH_IMAGE_FAILED where it would not run in a Debian root
 */
export function carriedNode(): { readonly node: string; readonly nodeVersion: string } {
  const { glibcVersionRuntime } = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header;
  const variables: Readonly<Record<string, unknown>> = { ...process.config.variables };
  const shared = variables.node_shared === true || variables.node_shared === 'true';
  if (glibcVersionRuntime !== undefined && !shared && process.arch === 'x64') {
    return { node: process.execPath, nodeVersion: process.version };
  }
  throw new MeshError('MESH_IMAGE_FAILED', `${process.execPath} cannot be carried into the image`, {
    operation: 'build image',
    object: process.execPath,
    rule: 'The image gets the Node.js that this command runs on: one file, for x86-64 and glibc.',
    remedy: 'Run the command on such a Node: MESH_NODE=/path/to/node mesh system image node.',
  });
}

function here(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
