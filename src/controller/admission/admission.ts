/**
 * Admission: which machines may become members. `open`: every machine whose addresses fit its identity. `known`: machines that
 * an administrator has named. `token`: machines that host0 has booted.
 */
import type { Admission } from '../../formats/host0/host0-conf.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { ProofOutcome } from './proofs.ts';

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
  /** Whether it has proven that it has its token. */
  readonly proof: ProofOutcome;
  /** Whether it is a member already. */
  readonly isMember: boolean;
}

/** What the decision depends on. */
export interface AdmissionRules {
  readonly admission: Admission;
  /** Whether the machine has a folder in `/host0/machines`. */
  readonly isNamed: (machine: MachineId) => boolean;
}

/**
 * Returns if the machine may be a member. With `token`, a member proves its token again and again; by the others, a member stays.
 * @throws MESH_MEMBER_NOT_ADMITTED, MESH_MEMBER_UNPROVEN
 */
export function admit({ machine, proof, isMember }: Applicant, { admission, isNamed }: AdmissionRules): void {
  if (admission === 'token') mustProve(machine, proof);
  if (admission !== 'known' || isMember) return;
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

function mustProve(machine: MachineId | undefined, proof: ProofOutcome): void {
  const rule =
    'With admission=token a member proves that it has the token that this host0 gave its machine when it booted.';
  switch (proof) {
    case 'good':
      return;
    case 'stale':
      throw new MeshError('MESH_MEMBER_UNPROVEN', `machine ${machine} must prove its token with a new nonce`, {
        ...(machine !== undefined && { object: machine }),
        rule,
        remedy: 'Report again with the nonce in the answer.',
        retryable: true,
      });
    case 'wrong':
    case 'none': {
      const what = proof === 'none' ? 'no token' : 'a token that host0 did not give it, or has taken away';
      const who = machine === undefined ? 'the asker names no machine' : `machine ${machine} shows ${what}`;
      throw new MeshError('MESH_MEMBER_NOT_ADMITTED', `this mesh admits by token, and ${who}`, {
        ...(machine !== undefined && { object: machine }),
        rule,
        remedy:
          'Boot the machine from this host0, or write admission="known" or "open" into host0.conf and restart host0.',
      });
    }
  }
}
