/** Meshwork's own programs, as they go into the image of a node. */
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { programOutput } from '../packages/program-output.ts';
import { BUNDLES, commandDirectory } from './program-files.ts';

/** Writes `dist` and `bin` to the directory. In a checkout, runs the bundler to make `dist`. @throws MESH_IMAGE_FAILED */
export async function installPrograms(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const dist = join(directory, 'dist');
  if ('script' in BUNDLES) await programOutput(process.execPath, BUNDLES.script, dist);
  else await cp(BUNDLES.directory, dist, { recursive: true });
  await cp(commandDirectory, join(directory, 'bin'), { recursive: true });
}

/**
 * The Node.js executable of this process, which goes into the image unchanged.
 * @throws MESH_IMAGE_FAILED if it would not run in a Debian root
 */
export function carriedNode(): { readonly node: string; readonly nodeVersion: string } {
  const { glibcVersionRuntime } = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header;
  const variables: Readonly<Record<string, unknown>> = { ...process.config.variables };
  const shared = variables.node_shared === true || variables.node_shared === 'true';
  if (glibcVersionRuntime !== undefined && !shared && process.arch === 'x64') {
    return { node: process.execPath, nodeVersion: process.version };
  }
  throw new MeshError('MESH_IMAGE_FAILED', `${process.execPath} cannot be part of the image`, {
    operation: 'build image',
    object: process.execPath,
    rule: 'The image gets the Node.js that this command runs on: a single file, for x86-64 and glibc.',
    remedy: 'Run the command on such a Node.js: MESH_NODE=/path/to/node mesh system image node.',
  });
}
