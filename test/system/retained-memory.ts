/**
 * The memory that a running daemon holds on to, by V8's own account after a collection of all garbage. The size of the process
 * says little: V8 keeps pages for as long as nobody else wants them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessMark } from '../../src/services/process/process-mark.ts';
import { inside } from '../kit/namespaces.ts';
import { until } from './until.ts';

/** Node opens its inspector at this port of the loopback device, in the namespace of the process, after SIGUSR1. */
const INSPECTOR_PORT = 9229;
const OPENED_MS = 100;
const OPENED_TRIES = 300;
/** A pass or an answer under way holds what it reads until it ends; both take under a second. */
const LET_GO_DEADLINE_MS = 15_000;

/** Runs in the namespace of the daemon, and prints the number of bytes. */
const QUESTION = `
const [{ webSocketDebuggerUrl }] = await (await fetch('http://127.0.0.1:${INSPECTOR_PORT}/json/list')).json();
const socket = new WebSocket(webSocketDebuggerUrl);
await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
let count = 0;
const ask = (method) => new Promise((resolve) => {
  const id = ++count;
  socket.addEventListener('message', ({ data }) => { const said = JSON.parse(data); if (said.id === id) resolve(said.result); });
  socket.send(JSON.stringify({ id, method }));
});
await ask('HeapProfiler.enable');
// Twice: what the first collection only finalises, the second one frees.
await ask('HeapProfiler.collectGarbage');
await ask('HeapProfiler.collectGarbage');
const { usedSize, backingStorageSize } = await ask('Runtime.getHeapUsage');
console.log(usedSize + backingStorageSize);
socket.close();
`;

/**
 * The kilobytes of living objects and buffers of a Node process in the namespace `netns` (a path). The process must not have used
 * SIGUSR1 for anything else.
 */
export async function retainedKbOf(daemon: ProcessMark | undefined, netns: string): Promise<number> {
  if (daemon === undefined) throw new Error('the process does not run');
  const { pid } = daemon;
  process.kill(pid, 'SIGUSR1');
  for (let tries = 0; ; tries++) {
    if (inside(netns, 'ss', '-Hltn', `sport = :${INSPECTOR_PORT}`).includes('127.0.0.1')) break;
    if (tries === OPENED_TRIES) throw new Error(`process ${pid} opened no inspector`);
    await sleep(OPENED_MS);
  }
  return Math.round(Number(inside(netns, process.execPath, '--input-type=module', '--eval', QUESTION)) / 1024);
}

/**
 * Waits until each daemon holds at most `maxKb` more than before, and prints how much that is. What a pass or an answer under way
 * holds goes with its end, and may be megabytes; what is kept for ever stays.
 * @param name names the daemons in the output
 * @param beforeKb what the daemons held before the attack, in the order of `retainedKb`
 * @throws Error when a daemon keeps more
 */
export async function growLittle(
  name: string,
  retainedKb: () => Promise<readonly number[]>,
  beforeKb: readonly number[],
  maxKb: number,
): Promise<void> {
  await until(`${name} grew by at most ${maxKb} kB`, LET_GO_DEADLINE_MS, async () => {
    const grownKb = (await retainedKb()).map((kb, index) => kb - (beforeKb[index] ?? 0));
    console.log(`${name} grew by ${grownKb.join(', ')} kB`);
    return Math.max(...grownKb) <= maxKb;
  });
}
