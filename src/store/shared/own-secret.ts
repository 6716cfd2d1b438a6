/**
 * Whether the secret of the installation on this disk is that of the store. Without a sealed secret in the store, a host0 with
 * another one, or with none, must not lead: it would seal its own, and the keys of all nodes would be worthless for ever.
 */
import { join } from 'node:path';
import { textAt } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';
import { secretCheck } from '../../model/machine-key.ts';
import { SECRET_FORM } from '../../protocol/shapes/key-file.ts';
import { readSealed } from '../../protocol/shapes/sealed-document.ts';
import type { Store } from '../store.ts';

/** What tells the secret of the store's installation from another one (controller/machines/machine-keys.ts). */
const CHECK_KEY = '/v1/key-check';

/**
 * Compares the secret below a directory of secrets with the one that the store was last used with. A store that was used with none
 * takes any, and a directory without one.
 * @throws MESH_SEAL_REFUSED
 */
export async function mustHaveOwnSecret(store: Store, directory: string): Promise<void> {
  const expected = (await store.get(CHECK_KEY))?.value;
  if (expected === undefined) return;
  const path = join(directory, 'installation');
  const text = await textAt(path).catch(() => undefined);
  const secret = text === undefined ? undefined : readSealed(SECRET_FORM, text).document?.secret;
  if (secret !== undefined && secretCheck(Buffer.from(secret, 'hex')) === expected) return;
  const what = secret === undefined ? 'no secret that can be read' : 'the secret of another installation';
  throw new MeshError('MESH_SEAL_REFUSED', `a host0 works with this store, and ${path} is ${what}`, {
    object: path,
    operation: 'compare the secret of the installation with the store',
    rule: 'Until a host0 has put its secrets into the store, only a host0 with the same secret may lead.',
    remedy:
      'Run `mesh host0 join` on the host0 that has the secret first, and start its processes anew; or restore the file from a backup. ' +
      `If the secret is lost, run \`etcdctl del ${CHECK_KEY}\`: then boot all nodes again, and enroll those again that host0 does not boot.`,
  });
}
