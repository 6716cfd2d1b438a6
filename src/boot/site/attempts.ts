/**
 * The boots under way, called attempts: which machine boots at which address, and the token for which it gets its secrets,
 * once. Attempts survive a restart of host0's daemon: a machine in the middle of its boot still gets its overlay, and its
 * token is still unspent or spent.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';

/** One boot of a machine, from its boot script on. */
export interface Attempt {
  /** 16 hex digits; part of URLs and logs. */
  readonly id: string;
  /** SHA-256 of the token, so that a reader of the store cannot use it. */
  readonly tokenHash: string;
  /** The secrets were given for the token. */
  readonly spent: boolean;
  readonly machine: MachineId;
  /** The network card that boots. */
  readonly mac: Mac;
  readonly ipv4: Ipv4;
  /** host0's device on the machine's segment. */
  readonly device: string;
  /** The path of the machine's overlay, as it was compiled when the machine asked for its script. */
  readonly overlay: string;
  /** On the monotonic clock. */
  readonly startedMs: number;
  /** Counts the machine's boots in a row, each of which began while the one before was still valid; the first is 1. */
  readonly turn: number;
}

/** A new attempt with its token, which is not kept. */
export interface OpenedAttempt extends Attempt {
  /** 32 hex digits; only in the boot script and on the kernel's command line. */
  readonly token: string;
}

/** Where attempts are kept. */
export interface AttemptKeeper {
  /**
   * Resolves when the attempt is durable, or when it turns out that it cannot be made so. Never rejects.
   * @param over attempts of other machines that need not be kept any more
   */
  keep(attempt: Attempt, over: readonly Attempt[]): Promise<void>;
}

/** The machine that asks for secrets, as host0's kernel and the DHCP leases know it. */
export interface Asker {
  readonly ipv4: Ipv4;
  /** The MAC in the neighbour entry of its address; absent if there is no entry. */
  readonly mac?: Mac;
  /** The MAC that has the lease of the address; absent where another DHCP server gives the addresses. */
  readonly leasedTo?: Mac;
}

/** How long an attempt is valid. Longer than the slowest boot: an HDD array that spins up, an image over a slow link. */
export const ATTEMPT_LIFE_MS = 20 * 60_000;
/** For this long after it got its script, a machine counts as booting from it. */
const UNDER_WAY_MS = 120_000;
/** More than the largest boot storm needs. If there are more, the oldest have failed long ago and are dropped. */
const ATTEMPTS_MAX = 10_000;

/** All attempts, found by id, machine, address and token. */
export class Attempts {
  readonly #clock: Clock;
  readonly #byId = new Map<string, Attempt>();
  readonly #byMachine = new Map<MachineId, Attempt>();
  readonly #byIpv4 = new Map<Ipv4, Attempt>();
  readonly #byToken = new Map<string, Attempt>();
  readonly #keeper: AttemptKeeper;
  /** Attempts that were ended, whose records are removed with the next record that is written. */
  #ended: Attempt[] = [];

  /** @param before attempts kept by an earlier run of this process, in the order in which they were opened */
  constructor(clock: Clock, keeper: AttemptKeeper, before: readonly Attempt[] = []) {
    this.#clock = clock;
    this.#keeper = keeper;
    for (const attempt of before) this.#take(attempt);
    this.#forgetOld();
  }

  /** Begins an attempt. It replaces the machine's earlier attempt, whose token is worth nothing from now on. */
  async open(boot: Omit<Attempt, 'id' | 'tokenHash' | 'spent' | 'startedMs' | 'turn'>): Promise<OpenedAttempt> {
    const earlier = this.#byMachine.get(boot.machine);
    const inARow = earlier === undefined || this.#isOver(earlier) ? 0 : earlier.turn;
    if (earlier !== undefined) this.#forget(earlier);
    const over = [...this.#ended.filter(({ machine }) => machine !== boot.machine), ...this.#forgetOld()];
    this.#ended = [];
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

  /** Ends the attempt of a machine that host0 forgets: what strangers make up would push out the boots of others. */
  end(machine: MachineId): void {
    const attempt = this.#byMachine.get(machine);
    if (attempt === undefined) return;
    this.#forget(attempt);
    this.#ended.push(attempt);
  }

  /** The attempt with this id, if it is still remembered. */
  get(id: string): Attempt | undefined {
    return this.#byId.get(id);
  }

  /** The attempt of a machine, if it began within the last two minutes. */
  underWay(machine: MachineId): Attempt | undefined {
    const attempt = this.#byMachine.get(machine);
    return attempt !== undefined && this.#clock.nowMs() - attempt.startedMs < UNDER_WAY_MS ? attempt : undefined;
  }

  /** The newest attempt at an address. */
  at(ipv4: Ipv4): Attempt | undefined {
    return this.#byIpv4.get(ipv4);
  }

  /** The machine whose secrets an unspent token is for. */
  owner(token: string): MachineId | undefined {
    const attempt = this.#byToken.get(hashOf(token));
    return attempt?.spent === false ? attempt.machine : undefined;
  }

  /**
   * Spends a token. It is worth nothing from the call on, and when the promise resolves that is durable, too. A wrong asker
   * does not spend the token, because the right machine may still ask.
   * @throws MESH_BOOT_SECRET_REFUSED if the token is unknown or spent, or if the asker is not the machine that boots
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
      const theirs = asker.mac === undefined ? 'has no neighbour entry' : `now has the MAC ${asker.mac}`;
      throw refused(`${asker.ipv4} ${theirs}, but machine ${machine} boots with ${mac}`, machine);
    }
    if (asker.leasedTo !== undefined && asker.leasedTo !== mac) {
      throw refused(`${asker.ipv4} is leased to ${asker.leasedTo}, but machine ${machine} boots with ${mac}`, machine);
    }
    const spent: Attempt = { ...attempt, spent: true };
    this.#take(spent);
    await this.#keeper.keep(spent, []);
    return spent;
  }

  /** Adds an attempt, or replaces it by its new state. */
  #take(attempt: Attempt): void {
    this.#byId.set(attempt.id, attempt);
    this.#byMachine.set(attempt.machine, attempt);
    this.#byIpv4.set(attempt.ipv4, attempt);
    this.#byToken.set(attempt.tokenHash, attempt);
  }

  #forgetOld(): readonly Attempt[] {
    const over: Attempt[] = [];
    // A map keeps the order of insertion: the oldest attempt comes first.
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
    remedy: 'If the machine itself asked, boot it again. If not, another machine on its segment pretends to be it.',
  });
}
