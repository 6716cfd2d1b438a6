/** What tells one host0 from another that works with the same store. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { genid } from '../model/genid.ts';

/** The same at each start of the host0 that has its files below `root` on this machine. */
export function host0Owner(root: string): string {
  return genid(['host0', machineWord(), root], 16);
}

function machineWord(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim() || hostname();
  } catch {
    return hostname();
  }
}
