/** The names of this machine's network devices, as any user may read them. */
import { readFileSync } from 'node:fs';

/** All devices of the network namespace of this process, up or down. Empty where /proc cannot be read. */
export function deviceNames(): string[] {
  try {
    // Two lines of heading, and then `  eth0: 1234 …` for each device.
    const lines = readFileSync('/proc/self/net/dev', 'utf8').split('\n').slice(2);
    return lines.flatMap((line) => /^\s*(\S+):/.exec(line)?.[1] ?? []);
  } catch {
    return [];
  }
}
