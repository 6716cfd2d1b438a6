/** Proofs that a machine has its token: the nonces that host0 gives out, and the check of what comes back. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Clock } from '../../model/clock.ts';
import type { MachineId } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { NONCE, proofOf, type SelfReport } from '../../protocol/documents/membership.ts';

/** The tokens of the machines that host0 boots; image/overlay/machine-tokens.ts keeps them. */
export interface TokenSource {
  /** The tokens that the machine may have now: the one in use, and the one that its next boot may have fetched. */
  of(machine: MachineId): Promise<readonly string[]>;
  /** The token of a machine that has not booted since nodes sent their token itself; undefined for all others. */
  sentBy(machine: MachineId): Promise<string | undefined>;
  /** Called when the machine has proven this token: from now on, it has no other. */
  used(machine: MachineId, token: string): Promise<void>;
}

/** `stale`: the node has a token, and needs a new nonce. `none`: it has no token. */
export type ProofOutcome = 'good' | 'stale' | 'wrong' | 'none';

/** What the proofs need. */
export interface ProofsInput {
  readonly clock: Clock;
  readonly tokens: TokenSource;
}

/** A nonce is valid in its minute and the next. A node gets a new one every three seconds. */
const SLOT_MS = 60_000;

/**
 * Gives out nonces, and checks proofs. A nonce is derived from the time, the network and the asker, so that host0 keeps none,
 * and nobody else can use it.
 */
export class Proofs {
  readonly #input: ProofsInput;
  readonly #secret = randomBytes(32);

  constructor(input: ProofsInput) {
    this.#input = input;
  }

  /** The nonce for the next report of `asker`. */
  nonceFor(network: Mesh, asker: Ipv6): string {
    return this.#nonce(network, asker, this.#slot());
  }

  /** Checks the proof in a report. */
  async check(network: Mesh, asker: Ipv6, report: SelfReport): Promise<ProofOutcome> {
    const { machine, nonce, proof, token } = report;
    const { tokens } = this.#input;
    if (nonce === undefined) {
      const sent = token === undefined ? undefined : await tokens.sentBy(machine);
      return token === undefined ? 'none' : sent !== undefined && isSame(sent, token) ? 'good' : 'wrong';
    }
    if (proof === undefined || !this.#isValid(network, asker, nonce)) return 'stale';
    const { bridgeMac: mac } = memberAddresses(network, machine);
    const proven = { ...report, network: network.id, mac, ipv6: asker };
    const used = (await tokens.of(machine)).find((candidate) => isSame(proofOf(candidate, nonce, proven), proof));
    if (used === undefined) return 'wrong';
    await tokens.used(machine, used);
    return 'good';
  }

  #slot(): number {
    return Math.floor(this.#input.clock.nowMs() / SLOT_MS);
  }

  #isValid(network: Mesh, asker: Ipv6, nonce: string): boolean {
    if (!NONCE.test(nonce)) return false;
    const slot = this.#slot();
    return [slot, slot - 1].some((valid) => isSame(this.#nonce(network, asker, valid), nonce));
  }

  #nonce({ id }: Mesh, asker: Ipv6, slot: number): string {
    return createHmac('sha256', this.#secret).update(`${id}\0${asker}\0${slot}`).digest('hex').slice(0, 32);
  }
}

/** Compares in constant time. */
function isSame(ours: string, theirs: string): boolean {
  const [a, b] = [Buffer.from(ours), Buffer.from(theirs)];
  return a.length === b.length && timingSafeEqual(a, b);
}
