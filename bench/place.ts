/** Namespaces for benchmarks, and iproute2 as a yardstick. */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TemporaryNetns, temporaryNetns } from '../src/kernel/netns.ts';
import { timed } from './measurement.ts';

/** Runs `ip -batch` or `bridge -batch` in a namespace. @throws Error with the tool's messages */
export function batch(netns: string, tool: 'ip' | 'bridge', lines: readonly string[]): void {
  const input = lines.join('\n');
  const { status, stderr } = spawnSync('nsenter', [`--net=${netns}`, tool, '-batch', '-'], { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

/** After this time the benchmark goes on: a busy machine is never quiet, and figures with a yardstick are still useful. */
const QUIET_DEADLINE_MS = 15_000;

/** Closes a namespace, and waits until links are made fast again: the kernel deletes links under its lock after the close. */
export async function discard(netns: TemporaryNetns): Promise<void> {
  netns.close();
  const probe = temporaryNetns();
  const giveUpAt = performance.now() + QUIET_DEADLINE_MS;
  for (let quiet = 0; quiet < 5 && performance.now() < giveUpAt; await sleep(200)) {
    const ms = await timed(() => batch(probe.path, 'ip', ['link add x type bridge', 'link set x up', 'link del x']));
    quiet = ms < 100 ? quiet + 1 : 0;
  }
  probe.close();
}

/** Runs `body` in a namespace of its own, prepared by lines of `ip -batch`. */
export async function inPlace<T>(prepare: readonly string[], body: (netns: string) => Promise<T> | T): Promise<T> {
  const netns = temporaryNetns();
  try {
    batch(netns.path, 'ip', prepare);
    return await body(netns.path);
  } finally {
    await discard(netns);
  }
}
