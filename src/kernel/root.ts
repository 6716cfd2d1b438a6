/** What only root may do. */
import { MeshError } from '../model/error.ts';

/**
 * @param work as a verb phrase: «start the daemons»
 * @param rule why only root may
 * @throws MESH_NOT_ROOT
 */
export function requireRoot(work: string, rule: string): void {
  if (process.geteuid?.() === 0) return;
  throw new MeshError('MESH_NOT_ROOT', `only root may ${work}`, {
    rule,
    remedy: 'Run the same command as root, for example with sudo.',
  });
}
