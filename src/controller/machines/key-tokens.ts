/**
 * The tokens of agents that know no machine keys, as the proofs of reports need them: each is derived from a key of the machine.
 * A machine that has not booted since host0 gives out keys has a token of before.
 */
import type { MachineId } from '../../model/machine.ts';
import { reportToken } from '../../model/machine-key.ts';
import type { TokenSource } from '../admission/proofs.ts';
import type { MachineKeys } from './machine-keys.ts';

/** The tokens of before (image/overlay/machine-tokens.ts). */
export interface EarlierTokens extends TokenSource {
  /** Takes the tokens away. Never rejects. */
  forget(machine: MachineId): Promise<void>;
}

/** Looks a machine's token up among those of its keys and those of before. */
export class KeyTokens implements TokenSource {
  readonly #keys: MachineKeys;
  readonly #earlier: EarlierTokens;

  constructor(keys: MachineKeys, earlier: EarlierTokens) {
    this.#keys = keys;
    this.#earlier = earlier;
    // Who has used a key has no other proof any more; who has lost all keys has none at all.
    for (const signal of [keys.uses, keys.revocations]) signal.subscribe((machine) => void earlier.forget(machine));
  }

  async of(machine: MachineId): Promise<readonly string[]> {
    const derived = this.#keys.candidatesOf(machine).map(({ key }) => reportToken(key));
    return [...(await this.#earlier.of(machine)), ...derived];
  }

  sentBy(machine: MachineId): Promise<string | undefined> {
    return this.#earlier.sentBy(machine);
  }

  async used(machine: MachineId, token: string): Promise<void> {
    const proven = this.#keys.candidatesOf(machine).find(({ key }) => reportToken(key) === token);
    if (proven === undefined) await this.#earlier.used(machine, token);
    else await this.#keys.used(proven.identity);
  }
}
