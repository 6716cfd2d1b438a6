/**
 * Hooks: executables of the administrator that host0 runs when something happens. A hook gets one line of JSON on its standard
 * input, and may answer with an object on its standard output.
 */
import type { ErrorDocument } from '../../../model/error.ts';

/**
 * When a hook runs: `before` a step is done, and may refuse it; `after` the step was done, and is only reported; to `undo` what it
 * did, in reverse order. A hook must bear that each is repeated.
 */
export const HOOK_PHASES = ['before', 'after', 'undo'] as const;

/** One of `HOOK_PHASES`. */
export type HookPhase = (typeof HOOK_PHASES)[number];

/** What the hooks of an event are told. */
export interface HookCall {
  /** What happens: `owner-created`. It names the hooks: `hooks/owner-created`, then those in `hooks/owner-created.d/`. */
  readonly event: string;
  readonly phase: HookPhase;
  /** What the event is about: the name of an owner or a network. */
  readonly object: string;
  /** What the hook reads as one line of JSON. */
  readonly document: unknown;
  /** Scalars for shell scripts, as variables of the environment: `MESH_ORDER`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the hook before its time. */
  readonly signal?: AbortSignal;
}

/** The JSON object that a hook wrote. Read it by a shape before it is used. */
export type HookAnswer = Readonly<Record<string, unknown>>;

/** How a hook ended. */
export interface HookReport {
  /** The file's path below the directory of hooks: `owner-created.d/10-network`. */
  readonly hook: string;
  readonly answer?: HookAnswer;
  /** What else the hook wrote: standard error, then standard output if this is no object. At most 64 KiB of each. */
  readonly output: string;
  readonly tookMs: number;
  readonly error?: ErrorDocument;
}
