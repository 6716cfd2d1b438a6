/** Composes host0's keys: the installation secret, the keys of machines, and the tokens of agents that know no keys. */
import type { TokenSource } from '../../controller/admission/proofs.ts';
import { KeyTokens } from '../../controller/machines/key-tokens.ts';
import { MachineKeys } from '../../controller/machines/machine-keys.ts';
import { commandKeyHealth } from '../../image/command-key.ts';
import { InstallationSecret } from '../../image/installation-secret.ts';
import { MachineTokens } from '../../image/overlay/machine-tokens.ts';
import { TokenSecret } from '../../image/overlay/token-secret.ts';
import type { HealthSource } from '../../protocol/documents/finding.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Store } from '../../store/store.ts';

/** What the keys need of host0. */
export interface KeysInput {
  readonly store: Store;
  readonly journal: Journal;
  /** host0's state directory. */
  readonly state: string;
}

/** host0's keys, and what has findings of them. */
export interface Keys {
  readonly keys: MachineKeys;
  readonly tokens: TokenSource;
  readonly parts: readonly HealthSource[];
}

/** Reads the keys of host0, and makes those that host0 makes once. */
export async function openKeys({ store, journal, state }: KeysInput): Promise<Keys> {
  const secret = await InstallationSecret.open(state);
  const keys = await MachineKeys.open({ store, journal, secret: secret.bytes });
  const earlier = new MachineTokens(state);
  const tokens = new KeyTokens(keys, earlier);
  return {
    keys,
    tokens,
    parts: [secret, keys, earlier, await commandKeyHealth(state), await TokenSecret.check(state)],
  };
}
