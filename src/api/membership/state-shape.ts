/** The shape of a network's state in a request. */
import { z } from 'zod';
import { errorCodeOf } from '../../model/error.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';

/** Texts for people are cut, not refused. */
const text = z.string().transform((value) => value.slice(0, 1000));

/** An agent of another version may send a code that this host0 does not know. */
const errorCode = z.string().transform(errorCodeOf);

const ErrorShape = z.object({
  code: errorCode,
  message: text,
  object: text.exactOptional(),
  rule: text.exactOptional(),
  remedy: text.exactOptional(),
});

/** Parses a NetworkState; unknown fields are dropped. */
export const NetworkStateShape: z.ZodType<NetworkState> = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('ready') }),
  z.object({ phase: z.literal('pending'), why: text }),
  z.object({ phase: z.literal('failed'), error: ErrorShape }),
]);
