/** The hooks of host0: all those of an event, one after another. */
import { join } from 'node:path';
import type { HookCall, HookReport } from '../../protocol/documents/order/hook.ts';
import { hooksOf } from './hook-file.ts';
import { endLeftOverHooks, type LeftOverHooks } from './hook-record.ts';
import { tryHook } from './run-hook.ts';

/** Where the hooks are, and what each gets. */
export interface HooksInput {
  /** The administrator's directory of hooks. */
  readonly directory: string;
  /** Where running hooks are noted. */
  readonly recordDirectory: string;
  /** Variables for every hook: `MESH_ROOT`, by which `mesh` finds this host0. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeLimitMs?: number;
}

/** Runs the hooks of events. The directory is read at each event: a new hook needs no restart. */
export class Hooks {
  readonly #input: HooksInput;

  constructor(input: HooksInput) {
    this.#input = input;
  }

  /** Whether an event has hooks now. */
  has(event: string): boolean {
    return hooksOf(this.#input.directory, event).length > 0;
  }

  /**
   * Runs the hooks of an event in their order, for `undo` in the reverse order. In the phase `before`, the first that fails is the
   * last that runs. In the other phases, all run. Never rejects: a failure is in its report.
   */
  async run(call: HookCall): Promise<HookReport[]> {
    const { directory, recordDirectory, env, timeLimitMs } = this.#input;
    const names = hooksOf(directory, call.event);
    const reports: HookReport[] = [];
    for (const hook of call.phase === 'undo' ? names.toReversed() : names) {
      const begunMs = performance.now();
      const result = await tryHook({
        ...call,
        path: join(directory, hook),
        recordDirectory,
        env: { ...env, ...call.env },
        ...(timeLimitMs !== undefined && { timeLimitMs }),
      });
      const tookMs = Math.round(performance.now() - begunMs);
      if ('error' in result) {
        reports.push({ hook, output: result.output, tookMs, error: result.error.toJSON() });
        if (call.phase === 'before') break;
      } else reports.push({ hook, ...result, tookMs });
    }
    return reports;
  }

  /** Ends the hooks that an ended host0 has left running. */
  async endLeftOver(): Promise<LeftOverHooks> {
    return await endLeftOverHooks(this.#input.recordDirectory);
  }
}
