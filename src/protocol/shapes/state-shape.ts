/** The shape of a network's state, as agents report it and processes answer it. */

import type { NetworkState } from '../documents/membership.ts';
import * as form from './form.ts';
import { ErrorShape, TextShape } from './parts.ts';

/** Reads a NetworkState; unknown fields are dropped. */
export const NetworkStateShape: form.Shape<NetworkState> = form.variants('phase', [
  form.object({ phase: form.literal('ready') }),
  form.object({ phase: form.literal('pending'), why: TextShape }),
  form.object({ phase: form.literal('failed'), error: ErrorShape }),
]);
