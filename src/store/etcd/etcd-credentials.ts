/** What host0 shows to etcd, read from `etcd.conf` and the files that it names. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf, unreadable } from '../../formats/conf/conf-reader.ts';
import { parseEtcdConf } from '../../formats/host0/etcd-conf.ts';
import { MeshError } from '../../model/error.ts';
import type { EtcdEndpoint } from '../../model/etcd-endpoint.ts';
import type { EtcdPlace } from './etcd-place.ts';

/** The permissions of everybody but the owner. */
const OTHERS = 0o077;
/** A chain of certificates has some kilobytes. */
const FILE_MAX_BYTES = 256 * 1024;

/**
 * The place of an etcd whose members are known. Without the file, the members speak plain and ask for no user.
 * @throws MESH_CONF_*, MESH_KEY_REFUSED for a file that others can read
 */
export async function etcdPlace(endpoints: readonly EtcdEndpoint[], file: string): Promise<EtcdPlace> {
  const bytes = await secretBytes(file).catch((cause: unknown) => {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw cause;
  });
  if (bytes === undefined) return { endpoints };
  const { ca, cert, key, user, password } = parseEtcdConf(file, bytes);
  const text = async (path: string, read = plainBytes) => (await named(path, read)).toString('utf8');
  return {
    endpoints,
    ...(ca !== undefined && {
      tls: {
        ca: await text(ca),
        ...(cert !== undefined && { cert: await text(cert) }),
        ...(key !== undefined && { key: await text(key, secretBytes) }),
      },
    }),
    ...(user !== undefined && password !== undefined && { user: { name: user, password } }),
  };
}

async function named(path: string, read: (path: string) => Promise<Buffer>): Promise<Buffer> {
  try {
    return await read(path);
  } catch (cause) {
    throw cause instanceof MeshError ? cause : unreadable(path, cause);
  }
}

const plainBytes = (path: string): Promise<Buffer> => bytesOf(path, 0);
const secretBytes = (path: string): Promise<Buffer> => bytesOf(path, OTHERS);

/** @param forbidden permissions that the file must not have */
async function bytesOf(path: string, forbidden: number): Promise<Buffer> {
  // Opening a pipe would otherwise wait for its writer for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > FILE_MAX_BYTES) throw new Error('not a file of certificates or settings');
    if ((found.mode & forbidden) !== 0) throw exposed(path, found.mode & 0o777);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function exposed(path: string, mode: number): MeshError {
  return new MeshError('MESH_KEY_REFUSED', `${path} has mode ${mode.toString(8).padStart(4, '0')}`, {
    operation: 'read what host0 shows to etcd',
    object: path,
    rule: 'Nobody but its owner may read a password or a private key.',
    remedy: `Run \`chmod 600 ${path}\`; who could read it may know it, so change it in etcd, too.`,
  });
}
