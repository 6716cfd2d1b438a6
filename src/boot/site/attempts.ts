/**
 * Boots under way: which machine boots at which address, and the token that its secrets are given against, once. They
 * outlive host0's daemon: a machine in the middle of its boot finds its overlay at the next one, and its token is worth
 * there what it was worth before.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';

export interface Attempt {
  /** 16 hex digits; stands in URLs and logs. */
  readonly id: string;
  /** SHA-256 of the token: what is kept is worth nothing to who reads it. */
  readonly tokenHash: string;
  /** Its secrets were given. */
  readonly spent: boolean;
  readonly machine: MachineId;
  readonly mac: Mac;
  readonly ipv4: Ipv4;
  readonly device: string;
  /** The file that it gets as its overlay: the one that was compiled when it asked. */
  readonly overlay: string;
  readonly startedMs: number;
  /** The machine's so many-th boot in a row, each begun within the life of the one before: 1 for one that begins afresh. */
  readonly turn: number;
}

export interface OpenedAttempt extends Attempt {
  /** 32 hex digits; in the boot script and on the kernel's command line only. */
  readonly token: string;
}

/** Where attempts are kept. */
export interface AttemptKeeper {
  /**
   * Resolves when it is durable, or when it turned out that it cannot be. Never rejects.
   * @param over those of other machines that need not be kept any more
   */
  keep(attempt: Attempt, over: readonly Attempt[]): Promise<void>;
}

/** Who asks for secrets, as the kernel and the leases say. */
export interface Asker {
  readonly ipv4: Ipv4;
  /** Of its neighbour entry; absent when there is none. */
  readonly mac?: Mac;
  /** Whom the DHCP server gave the address; absent where somebody else gives the addresses. */
  readonly leasedTo?: Mac;
}

/** Longer than the slowest boot: an HDD array that spins up, an image over a slow link. */
export const ATTEMPT_LIFE_MS = 20 * 60_000;
/** Within this a machine that was given its script is taken to be booting from it. */
const UNDER_WAY_MS = 120_000;
/** Beyond the largest boot storm; what is older than all of these has failed long ago. */
const ATTEMPTS_MAX = 10_000;

export class Attempts {
  readonly #clock: Clock;
  readonly #byId = new Map<string, Attempt>();
  readonly #byMachine = new Map<MachineId, Attempt>();
  readonly #byIpv4 = new Map<Ipv4, Attempt>();
  readonly #byToken = new Map<string, Attempt>();
  readonly #keeper: AttemptKeeper;

  /** @param before those that an earlier life of this process kept, in the order in which they were opened */
  constructor(clock: Clock, keeper: AttemptKeeper, before: readonly Attempt[] = []) {
    this.#clock = clock;
    this.#keeper = keeper;
    for (const attempt of before) this.#take(attempt);
    this.#forgetOld();
  }

  /** A machine has one attempt: its earlier one, and that one's token, are over. */
  async open(boot: Omit<Attempt, 'id' | 'tokenHash' | 'spent' | 'startedMs' | 'turn'>): Promise<OpenedAttempt> {
    const earlier = this.#byMachine.get(boot.machine);
    const inARow = earlier === undefined || this.#isOver(earlier) ? 0 : earlier.turn;
    if (earlier !== undefined) this.#forget(earlier);
    const over = this.#forgetOld();
    const token = randomBytes(16).toString('hex');
    const attempt: Attempt = {
      ...boot,
      id: randomBytes(8).toString('hex'),
      tokenHash: hashOf(token),
      spent: false,
      startedMs: this.#clock.nowMs(),
      turn: inARow + 1,
    };
    this.#take(attempt);
    await this.#keeper.keep(attempt, over);
    return { ...attempt, token };
  }

  get(id: string): Attempt | undefined {
    return this.#byId.get(id);
  }

  /** The boot of a machine that has been begun lately. */
  underWay(machine: MachineId): Attempt | undefined {
    const attempt = this.#byMachine.get(machine);
    return attempt !== undefined && this.#clock.nowMs() - attempt.startedMs < UNDER_WAY_MS ? attempt : undefined;
  }

  /** The newest attempt at an address. */
  at(ipv4: Ipv4): Attempt | undefined {
    return this.#byIpv4.get(ipv4);
  }

  /** Whose secrets a token is for, while it is worth anything. */
  owner(token: string): MachineId | undefined {
    const attempt = this.#byToken.get(hashOf(token));
    return attempt?.spent === false ? attempt.machine : undefined;
  }

  /**
   * Takes the token: from the call on it is worth nothing, and from when it resolves also to a next life of this process.
   * A wrong asker does not spend it, since the right one is still to come.
   * @throws MESH_BOOT_SECRET_REFUSED
   */
  async spend(token: string, asker: Asker): Promise<Attempt> {
    const attempt = this.#byToken.get(hashOf(token));
    if (attempt === undefined) {
      throw refused(`${asker.ipv4} shows a token that host0 did not give, or that is too old`);
    }
    if (attempt.spent) {
      throw refused(
        `the token of machine ${attempt.machine} was shown a second time, by ${asker.ipv4}`,
        attempt.machine,
      );
    }
    const { machine, mac, ipv4 } = attempt;
    if (asker.ipv4 !== ipv4) throw refused(`machine ${machine} boots at ${ipv4}, and ${asker.ipv4} asks`, machine);
    if (asker.mac !== mac) {
      throw refused(`${asker.ipv4} is at ${asker.mac ?? 'no address'} now, and machine ${machine} at ${mac}`, machine);
    }
    if (asker.leasedTo !== undefined && asker.leasedTo !== mac) {
      throw refused(`${asker.ipv4} is leased to ${asker.leasedTo}, and machine ${machine} is ${mac}`, machine);
    }
    const spent: Attempt = { ...attempt, spent: true };
    this.#take(spent);
    await this.#keeper.keep(spent, []);
    return spent;
  }

  /** Notes an attempt, or what has become of it. */
  #take(attempt: Attempt): void {
    this.#byId.set(attempt.id, attempt);
    this.#byMachine.set(attempt.machine, attempt);
    this.#byIpv4.set(attempt.ipv4, attempt);
    this.#byToken.set(attempt.tokenHash, attempt);
  }

  #forgetOld(): readonly Attempt[] {
    const over: Attempt[] = [];
    // In the order in which they were opened.
    for (const attempt of this.#byId.values()) {
      if (!this.#isOver(attempt) && this.#byId.size < ATTEMPTS_MAX) break;
      this.#forget(attempt);
      over.push(attempt);
    }
    return over;
  }

  #isOver({ startedMs }: Attempt): boolean {
    return this.#clock.nowMs() - startedMs > ATTEMPT_LIFE_MS;
  }

  #forget(attempt: Attempt): void {
    this.#byId.delete(attempt.id);
    this.#byToken.delete(attempt.tokenHash);
    if (this.#byMachine.get(attempt.machine)?.id === attempt.id) this.#byMachine.delete(attempt.machine);
    if (this.#byIpv4.get(attempt.ipv4)?.id === attempt.id) this.#byIpv4.delete(attempt.ipv4);
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function refused(message: string, machine?: MachineId): MeshError {
  return new MeshError('MESH_BOOT_SECRET_REFUSED', message, {
    operation: 'serve secrets',
    ...(machine !== undefined && { object: machine }),
    rule: 'The secrets of a machine are given once for each boot, at the address and to the network card that boots.',
    remedy: 'If the machine itself asked, boot it again. If not, somebody on its segment tries to be it.',
  });
}
