/** Composes the hooks of host0. */
import { join } from 'node:path';
import type { Paths } from '../../protocol/documents/paths.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { Hooks } from '../../services/hook/hooks.ts';

/** Opens the hooks, and ends those that a host0 that was killed has left running. @throws MESH_PROCESS_NOT_ENDED */
export async function openHooks({ root, hooks: directory, run }: Paths, journal: Journal): Promise<Hooks> {
  const hooks = new Hooks({ directory, recordDirectory: join(run, 'hooks'), env: { MESH_ROOT: root } });
  const ended = await hooks.endLeftOver();
  if (ended > 0) journal.record({ kind: 'hooks ended', level: 'warning', message: `${ended} hooks were left running` });
  return hooks;
}
