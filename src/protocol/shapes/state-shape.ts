/** The shape of a network's state, as agents report it and processes answer it. */
import * as z from 'zod/mini';
import type { NetworkState } from '../documents/membership.ts';
import type { Shape } from './document.ts';
import { ErrorShape, TextShape } from './parts.ts';

/** Reads a NetworkState; unknown fields are dropped. */
export const NetworkStateShape: Shape<NetworkState> = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('ready') }),
  z.object({ phase: z.literal('pending'), why: TextShape }),
  z.object({ phase: z.literal('failed'), error: ErrorShape }),
]);
