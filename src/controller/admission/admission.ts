/**
 * Admission: which machines may become members. `open`: every machine whose addresses fit its identity. `known`: machines that
 * an administrator has named. `token`: machines to which host0 has given a key, while their channel stands.
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
  /** Whether it has proven which machine it is. */
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
 * Returns if the machine may be a member. With `token`, each report of a member must be proven; by the others, a member stays.
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
    'With admission=token a machine is a member while its channel to this host0 stands, for which it needs the key that host0 gave it.';
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
    case 'awaited':
      throw new MeshError('MESH_MEMBER_UNPROVEN', `the channel of machine ${machine} does not stand`, {
        ...(machine !== undefined && { object: machine }),
        rule,
        remedy: 'See `mesh status` on the node, and `mesh node list`, for why the channel does not stand.',
        retryable: true,
      });
    case 'wrong':
    case 'none': {
      const what =
        proof === 'none' ? 'has no valid key' : 'shows a token that host0 did not give it, or has taken away';
      const who = machine === undefined ? 'the asker names no machine' : `machine ${machine} ${what}`;
      throw new MeshError('MESH_MEMBER_NOT_ADMITTED', `this mesh admits by token, and ${who}`, {
        ...(machine !== undefined && { object: machine }),
        rule,
        remedy:
          'Boot the machine from this host0, enroll it (`mesh node enroll NAME --machine ID`), or write admission="known" or "open" into host0.conf and restart host0.',
      });
    }
  }
}
