/** Hooks as orders and owners run them: every run, with its output or its failure, is in the journal. */
import type { HookCall, HookReport } from '../../protocol/documents/order/hook.ts';
import type { Journal } from '../../protocol/journal/journal.ts';

/** Runs the hooks of events; never rejects. */
export interface HookRunner {
  run(call: HookCall): Promise<readonly HookReport[]>;
}

/** Runs the hooks of an event, and records how each ended. @param about names the order or the owner in the journal */
export async function runJournalled(
  hooks: HookRunner,
  journal: Pick<Journal, 'record'>,
  call: HookCall,
  about: string,
): Promise<readonly HookReport[]> {
  const reports = await hooks.run(call);
  for (const { hook, output, tookMs, error } of reports) {
    const common = { object: about, durationMs: tookMs };
    const words = output.trim();
    const said = words === '' ? '' : `: ${words}`;
    if (error === undefined)
      journal.record({ kind: 'hook done', message: `${hook} (${call.phase}) for ${call.object}${said}`, ...common });
    else {
      const { code, message, remedy } = error;
      const event = {
        kind: 'hook failed',
        message: `${message}${said}`,
        code,
        ...(remedy !== undefined && { remedy }),
      };
      journal.record({ level: 'warning', ...event, ...common });
    }
  }
  return reports;
}
