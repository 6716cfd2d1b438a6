/** host0's tokens where no machine has one. */
import type { TokenSource } from '../../src/controller/admission/proofs.ts';

export const NO_TOKENS: TokenSource = {
  of: async () => [],
  sentBy: async () => undefined,
  used: async () => undefined,
};
