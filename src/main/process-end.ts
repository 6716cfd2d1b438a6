/** How a long-running process ends. */
import { errorText } from '../formats/error-text.ts';
import type { MeshError } from '../model/error.ts';

/** Calls `stop` at the first SIGTERM or SIGINT, and exits when it resolves; what must outlive the process it leaves. */
export function endOnSignal(stop: () => Promise<void>): void {
  let stopping = false;
  const end = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await stop();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end());
}

/** Prints why the process cannot start, and exits with the code of the first error. */
export function fail(errors: readonly MeshError[]): never {
  for (const error of errors) process.stderr.write(`${errorText(error, { color: false })}\n`);
  process.exit(errors[0]?.exitCode ?? 1);
}
