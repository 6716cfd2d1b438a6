/** The processes in the namespaces of a lab: all of the lab's processes, recorded or not, and no others. */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { netnsPath } from '../../kernel/netns.ts';
import { findMark, type ProcessMark } from '../../services/process/process-mark.ts';

/** The processes whose network namespace is one of `namespaces`, without this process, which enters them only for moments. */
export function residentsOf(namespaces: readonly string[]): ProcessMark[] {
  const wanted = new Set(namespaces.map(identityOf).filter((identity) => identity !== undefined));
  if (wanted.size === 0) return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid && wanted.has(networkOf(pid) ?? ''))
    .flatMap((pid) => findMark(pid) ?? []);
}

function identityOf(namespace: string): string | undefined {
  const stat = statSync(netnsPath(namespace), { throwIfNoEntry: false });
  return stat && `net:[${stat.ino}]`;
}

function networkOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}
