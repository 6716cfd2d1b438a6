/**
 * Proofs that a report comes from its machine: the channel of the machine stands, or an agent of an earlier version shows that it
 * has its token. For these agents host0 gives out nonces, and checks what comes back.
 */
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

/** The channels of nodes, by which machines prove themselves; api/channel/channels.ts keeps them. */
export interface ProvenChannels {
  /**
   * The instance (`SelfReport`) that the node has told over its channel; undefined while the channel does not stand. So host0 knows
   * which of several reports with one machine id is that of the machine with the key.
   */
  instanceOf(machine: MachineId): string | undefined;
  /** Whether the machine has a key, so that a channel of it can be waited for. */
  hasKey(machine: MachineId): boolean;
}

/**
 * `stale`: the node has a token, and needs a new nonce. `none`: it shows nothing. `awaited`: it shows nothing, and has a key: its
 * channel does not stand yet, or does not stand any more.
 */
export type ProofOutcome = 'good' | 'stale' | 'wrong' | 'none' | 'awaited';

/** What the proofs need. */
export interface ProofsInput {
  readonly clock: Clock;
  readonly tokens: TokenSource;
  /** Undefined while host0 has no channels. */
  readonly channels: () => ProvenChannels | undefined;
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

  /** Checks whether a report comes from its machine: it has the instance that the channel told, or proves a token. */
  async check(network: Mesh, asker: Ipv6, report: SelfReport): Promise<ProofOutcome> {
    const { machine, instance, nonce, proof, token } = report;
    const { tokens, channels } = this.#input;
    const told = channels()?.instanceOf(machine);
    if (told !== undefined && isSame(told, instance)) return 'good';
    if (nonce === undefined) {
      if (token === undefined) return channels()?.hasKey(machine) === true ? 'awaited' : 'none';
      const sent = await tokens.sentBy(machine);
      return sent !== undefined && isSame(sent, token) ? 'good' : 'wrong';
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
