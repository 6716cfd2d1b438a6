/** Boots under way: which machine boots at which address, and the token that its secrets are given against, once. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { MachineId } from '../model/machine.ts';

export interface Attempt {
  /** 16 hex digits; stands in URLs and logs. */
  readonly id: string;
  /** 32 hex digits; in the boot script and on the kernel's command line only. */
  readonly token: string;
  readonly machine: MachineId;
  readonly mac: Mac;
  readonly ipv4: Ipv4;
  readonly device: string;
  /** The file that it gets as its overlay: the one that was compiled when it asked. */
  readonly overlay: string;
  readonly startedMs: number;
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
const LIFE_MS = 20 * 60_000;
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
  readonly #spent = new Map<string, Attempt>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A machine has one attempt: its earlier one, and that one's token, are over. */
  open(boot: Omit<Attempt, 'id' | 'token' | 'startedMs'>): Attempt {
    this.#forgetOld();
    const earlier = this.#byMachine.get(boot.machine);
    if (earlier !== undefined) this.#forget(earlier);
    const attempt: Attempt = {
      ...boot,
      id: randomBytes(8).toString('hex'),
      token: randomBytes(16).toString('hex'),
      startedMs: this.#clock.nowMs(),
    };
    this.#byId.set(attempt.id, attempt);
    this.#byMachine.set(attempt.machine, attempt);
    this.#byIpv4.set(attempt.ipv4, attempt);
    this.#byToken.set(attempt.token, attempt);
    return attempt;
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
    return this.#byToken.get(token)?.machine;
  }

  /**
   * Takes the token: after this it is worth nothing. A wrong asker does not spend it, since the right one is still to come.
   * @throws MESH_BOOT_SECRET_REFUSED
   */
  spend(token: string, asker: Asker): Attempt {
    const attempt = this.#byToken.get(token);
    if (attempt === undefined) throw this.#refusedToken(token, asker);
    const { machine, mac, ipv4 } = attempt;
    if (asker.ipv4 !== ipv4) throw refused(`machine ${machine} boots at ${ipv4}, and ${asker.ipv4} asks`, machine);
    if (asker.mac !== mac) {
      throw refused(`${asker.ipv4} is at ${asker.mac ?? 'no address'} now, and machine ${machine} at ${mac}`, machine);
    }
    if (asker.leasedTo !== undefined && asker.leasedTo !== mac) {
      throw refused(`${asker.ipv4} is leased to ${asker.leasedTo}, and machine ${machine} is ${mac}`, machine);
    }
    this.#byToken.delete(token);
    this.#spent.set(token, attempt);
    return attempt;
  }

  #refusedToken(token: string, asker: Asker): MeshError {
    const spent = this.#spent.get(token);
    if (spent === undefined) return refused(`${asker.ipv4} shows a token that host0 did not give, or that is too old`);
    return refused(`the token of machine ${spent.machine} was shown a second time, by ${asker.ipv4}`, spent.machine);
  }

  #forgetOld(): void {
    const now = this.#clock.nowMs();
    for (const attempt of this.#byId.values()) {
      const old = now - attempt.startedMs > LIFE_MS || this.#byId.size >= ATTEMPTS_MAX;
      // In the order in which they were opened.
      if (!old) return;
      this.#forget(attempt);
    }
  }

  #forget(attempt: Attempt): void {
    this.#byId.delete(attempt.id);
    this.#byToken.delete(attempt.token);
    this.#spent.delete(attempt.token);
    if (this.#byMachine.get(attempt.machine) === attempt) this.#byMachine.delete(attempt.machine);
    if (this.#byIpv4.get(attempt.ipv4) === attempt) this.#byIpv4.delete(attempt.ipv4);
  }
}

function refused(message: string, machine?: MachineId): MeshError {
  return new MeshError('MESH_BOOT_SECRET_REFUSED', message, {
    operation: 'serve secrets',
    ...(machine !== undefined && { object: machine }),
    rule: 'The secrets of a machine are given once for each boot, at the address and to the network card that boots.',
    remedy: 'If the machine itself asked, boot it again. If not, somebody on its wire tries to be it.',
  });
}
