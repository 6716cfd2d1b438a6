/** Who may become a member: anybody who fits (`open`), or only machines that an administrator has named (`known`). */
import type { Admission } from '../formats/host0-conf.ts';
import { MeshError } from '../model/error.ts';
import type { MachineId } from '../model/machine.ts';

/**
 * @param isNamed whether the machine has a folder in `/host0/machines`
 * @throws MESH_MEMBER_NOT_ADMITTED
 */
export function admit(
  admission: Admission,
  machine: MachineId | undefined,
  isNamed: (machine: MachineId) => boolean,
): void {
  if (admission === 'open') return;
  if (admission === 'token') {
    throw new MeshError('MESH_MEMBER_NOT_ADMITTED', 'this mesh admits by token, and host0 hands out none yet', {
      rule: 'With admission=token a member shows a token of host0.',
      remedy: 'Write admission="known" or admission="open" into host0.conf, and restart host0.',
    });
  }
  if (machine === undefined) {
    throw new MeshError('MESH_MEMBER_NOT_ADMITTED', 'this mesh admits known machines only, and the asker names none', {
      rule: 'With admission=known a member says which machine it is.',
      remedy: 'Ask with `&machine=ID`; `mesh genid machine 8` prints the id.',
    });
  }
  if (isNamed(machine)) return;
  throw new MeshError('MESH_MEMBER_NOT_ADMITTED', `machine ${machine} has no folder on host0`, {
    object: machine,
    rule: 'With admission=known only machines that have a folder in /host0/machines become members.',
    remedy: `Name it with \`mesh node adopt ${machine} NAME\`, or write admission="open" into host0.conf.`,
  });
}
