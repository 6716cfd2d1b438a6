/** A progress line on stderr for work that takes longer than a second. On a terminal the line is erased at the end. */
import type { OutputStream } from '../context.ts';

const PATIENCE_MS = 1000;
const ERASE_LINE = '\r\x1b[K';

/**
 * Awaits `work`, and shows `text` with the seconds that have passed.
 * @param text what is being done, as a verb phrase in -ing: "Waiting for the agent"
 */
export async function withProgress<T>(stderr: OutputStream, text: string, work: Promise<T>): Promise<T> {
  let seconds = 0;
  const timer = setInterval(() => {
    seconds++;
    if (stderr.isTTY) stderr.write(`${ERASE_LINE}${text} … ${seconds} s`);
    else if (seconds === 1) stderr.write(`${text} …\n`);
  }, PATIENCE_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (stderr.isTTY && seconds > 0) stderr.write(ERASE_LINE);
  }
}
