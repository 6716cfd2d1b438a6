/** Who may become a member: anybody who fits (`open`), or only machines that host0 has been told of (`known`). */
import type { Admission } from '../formats/host0-conf.ts';
import { MeshError } from '../model/error.ts';
import type { MachineId } from '../model/machine.ts';
import type { Store } from '../store/store.ts';

export function machineStoreKey(machine: MachineId): string {
  return `/v1/machines/${machine}`;
}

/** @throws MESH_MEMBER_NOT_ADMITTED */
export async function admit(admission: Admission, machine: MachineId | undefined, store: Store): Promise<void> {
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
  if ((await store.get(machineStoreKey(machine))) !== undefined) return;
  throw new MeshError('MESH_MEMBER_NOT_ADMITTED', `machine ${machine} is not known to host0`, {
    object: machine,
    rule: 'With admission=known only registered machines become members.',
    remedy: 'Register the machine on host0, or write admission="open" into host0.conf, and restart host0.',
  });
}
