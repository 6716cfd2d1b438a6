/** A warning for each file that a manifest puts on a machine with the setuid or setgid bit. */
import type { ManifestAction } from '../../formats/host0/manifest.ts';
import { MeshError } from '../../model/error.ts';

const [SETUID, SETGID, WRITABLE_BY_ALL] = [0o4000, 0o2000, 0o002];

/** The warnings for these actions. A directory with setgid only hands its group on, so it gives nobody rights. */
export function setuidWarnings(actions: readonly ManifestAction[]): readonly MeshError[] {
  return actions.flatMap((action) => {
    if (action.type !== 'overwrite' && action.type !== 'append') return [];
    const { mode, target, place } = action;
    const owners = [
      ...(mode.permissions & SETUID ? [`user ${mode.uid}`] : []),
      ...(mode.permissions & SETGID ? [`group ${mode.gid}`] : []),
    ];
    if (owners.length === 0) return [];
    const also = mode.permissions & WRITABLE_BY_ALL ? ', and every user may replace it' : '';
    return [
      new MeshError(
        'MESH_MANIFEST_SETUID',
        `every user who runs ${target} has the rights of ${owners.join(' and ')}${also}`,
        {
          rule: 'The first digit of four-digit permissions is 4 for setuid, 2 for setgid, 6 for both.',
          remedy: 'Write 0 in its place, unless the program needs these rights',
          place: { ...place, column: place.text.indexOf('MODE=') + 1 + 'MODE='.length },
        },
      ),
    ];
  });
}
