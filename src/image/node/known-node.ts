/**
 * The Node.js executables that Meshwork was tested with, by content. Node.js is in every node's image, and root on every node
 * runs it. The lockfile proves what `npm ci` has unpacked; this table proves what is on the disk when an image or a package is built.
 */
import { createHash } from 'node:crypto';
import { MeshError } from '../../model/error.ts';

/** SHA-256 of `bin/node` for Linux on x86-64, by version: from the package whose hash is in package-lock.json. */
export const KNOWN_NODES: ReadonlyMap<string, string> = new Map([
  ['v24.21.0', '7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c'],
]);

/** An executable that goes into an image or a package. */
export interface NodeProgram {
  /** As `node --version` prints it. */
  readonly version: string;
  readonly bytes: Buffer;
}

/**
 * The SHA-256 of an executable.
 * @throws MESH_IMAGE_FAILED if the table has another hash for its version
 */
export function checkedNodeHash({ version, bytes }: NodeProgram): string {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const known = KNOWN_NODES.get(version);
  if (known === undefined || known === sha256) return sha256;
  throw new MeshError('MESH_IMAGE_FAILED', `this Node.js ${version} is not the one that Meshwork was tested with`, {
    operation: 'build image',
    object: 'node',
    rule: `The SHA-256 of Node.js ${version} is ${known}; this file has ${sha256}.`,
    remedy:
      'Find out what has changed the file. Meanwhile run the command on an unchanged Node.js: ' +
      'MESH_NODE=/path/to/node mesh system image node.',
  });
}
