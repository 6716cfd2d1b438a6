/** The processes in the namespaces of a lab: all of the lab's processes, recorded or not, and no others. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { netnsPath } from '../../kernel/netns.ts';
import { findMark, type ProcessMark } from '../../services/process/process-mark.ts';
import { mountsBelow } from './mounts.ts';

/**
 * The processes whose network namespace is one of `namespaces`, or one that an agent has named by a file below `directory`: a
 * service of a network runs in a namespace of its own. Without this process, which enters them only for moments.
 */
export function residentsOf(namespaces: readonly string[], directory: string): ProcessMark[] {
  const named = mountsBelow(directory, readFileSync('/proc/self/mounts', 'utf8'));
  const paths = [...namespaces.map((namespace) => netnsPath(namespace)), ...named];
  const wanted = new Set(paths.map(identityOf).filter((identity) => identity !== undefined));
  if (wanted.size === 0) return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid && wanted.has(networkOf(pid) ?? ''))
    .flatMap((pid) => findMark(pid) ?? []);
}

function identityOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && `net:[${stat.ino}]`;
}

function networkOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}
