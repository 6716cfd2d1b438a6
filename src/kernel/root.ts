/** The check that a command runs as root. */
import { MeshError } from '../model/error.ts';

/**
 * Refuses the command unless the process runs as root.
 * @param work as a verb phrase: «start the daemons»
 * @param rule why only root may do this
 * @throws MESH_NOT_ROOT
 */
export function requireRoot(work: string, rule: string): void {
  if (process.geteuid?.() === 0) return;
  throw new MeshError('MESH_NOT_ROOT', `only root may ${work}`, {
    rule,
    remedy: 'Run the same command as root, for example with sudo.',
  });
}
