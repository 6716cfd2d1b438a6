/** The key of a machine as `POST /v1/machines/ID/key` answers it, on host0's control socket only. */
import type { MachineId } from '../../model/machine.ts';
import type { KeyIdentity } from '../../model/machine-key.ts';

/** A new key. Never logged: the text holds a secret. */
export interface GivenKey {
  readonly machine: MachineId;
  readonly identity: KeyIdentity;
  /** The text of the key file (shapes/key-file.ts). */
  readonly text: string;
}
