/**
 * Admission: which machines may become members. `open`: every machine whose addresses fit its identity. `known`: machines that
 * an administrator has named. `token`: machines that host0 has booted.
 */
import type { Admission } from '../../formats/host0/host0-conf.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';

/**
 * The admission that holds: what the administrator has set, else `known` as soon as there are named machines. Before that
 * nobody could join.
 */
export function admissionInForce(set: Admission | undefined, named: number): Admission {
  return set ?? (named > 0 ? 'known' : 'open');
}

/** A machine that asks to become a member. */
export interface Applicant {
  /** Undefined for a poller that gives no machine id. */
  readonly machine: MachineId | undefined;
  /** The token in its report. */
  readonly token?: string | undefined;
}

/** What the decision depends on. */
export interface AdmissionRules {
  readonly admission: Admission;
  /** Whether the machine has a folder in `/host0/machines`. */
  readonly isNamed: (machine: MachineId) => boolean;
  /** Whether host0 gave the machine this token. */
  readonly fits: (machine: MachineId, token: string) => boolean;
}

/**
 * Returns if the machine may become a member.
 * @throws MESH_MEMBER_NOT_ADMITTED
 */
export function admit({ machine, token }: Applicant, { admission, isNamed, fits }: AdmissionRules): void {
  if (admission === 'open') return;
  if (admission === 'token') {
    if (machine !== undefined && token !== undefined && fits(machine, token)) return;
    const who = machine === undefined ? 'the asker names no machine' : `machine ${machine} shows`;
    const what = machine === undefined ? '' : token === undefined ? ' no token' : ' a token that host0 did not give it';
    throw new MeshError('MESH_MEMBER_NOT_ADMITTED', `this mesh admits by token, and ${who}${what}`, {
      ...(machine !== undefined && { object: machine }),
      rule: 'With admission=token a member shows the token that this host0 gave its machine when it booted.',
      remedy:
        'Boot the machine from this host0, or write admission="known" or "open" into host0.conf and restart host0.',
    });
  }
  if (machine === undefined) {
    throw new MeshError('MESH_MEMBER_NOT_ADMITTED', 'this mesh admits known machines only, and the asker names none', {
      rule: 'With admission=known, the default once a machine has a folder, a member says which machine it is.',
      remedy: 'Ask with `&machine=ID`; `mesh genid machine 8` prints the id.',
    });
  }
  if (isNamed(machine)) return;
  throw new MeshError('MESH_MEMBER_NOT_ADMITTED', `machine ${machine} has no folder on host0`, {
    object: machine,
    rule: 'With admission=known, the default once a machine has a folder, only machines that have a folder in /host0/machines become members.',
    remedy: `Name it with \`mesh node adopt ${machine} NAME\`, or write admission="open" into host0.conf.`,
  });
}
