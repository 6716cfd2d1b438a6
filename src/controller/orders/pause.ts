/** Waits that end early when host0 ends, or when there is something new. */
import type { Clock } from '../../model/clock.ts';
import type { Subscribable } from '../../model/signal.ts';

/** Resolves after `pauseMs`, at the next news, or when `signal` is aborted. */
export function pause(
  clock: Clock,
  pauseMs: number,
  signal: AbortSignal,
  news?: Pick<Subscribable<unknown>, 'subscribe'>,
): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      alarm.cancel();
      unsubscribe?.();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const alarm = clock.after(pauseMs, end);
    const unsubscribe = news?.subscribe(end);
    signal.addEventListener('abort', end);
  });
}
