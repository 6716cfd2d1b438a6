/** How a network fares on a node, as it must look when it comes over a segment. */
import { z } from 'zod';
import { errorCodeOf } from '../../model/error.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';

/** For people: cut rather than refused. */
const text = z.string().transform((value) => value.slice(0, 1000));

/** A code that another version of the agent knows and this host0 does not is still an error. */
const errorCode = z.string().transform(errorCodeOf);

const ErrorShape = z.object({
  code: errorCode,
  message: text,
  object: text.exactOptional(),
  rule: text.exactOptional(),
  remedy: text.exactOptional(),
});

export const NetworkStateShape: z.ZodType<NetworkState> = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('ready') }),
  z.object({ phase: z.literal('pending'), why: text }),
  z.object({ phase: z.literal('failed'), error: ErrorShape }),
]);
