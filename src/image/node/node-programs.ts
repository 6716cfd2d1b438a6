/** What of Meshwork a node runs, to be carried into its image. */
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { programOutput } from '../packages/program-output.ts';
import { BUNDLES, commandDirectory } from './program-files.ts';

/** Puts `dist` and `bin` into the directory; in a checkout `dist` is bundled for the purpose. */
export async function installPrograms(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const dist = join(directory, 'dist');
  if ('script' in BUNDLES) await programOutput(process.execPath, BUNDLES.script, dist);
  else await cp(BUNDLES.directory, dist, { recursive: true });
  await cp(commandDirectory, join(directory, 'bin'), { recursive: true });
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
