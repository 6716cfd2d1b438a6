/** host0 with 300 channels and 1,000 networks, ten on each node: how soon all nodes are back after host0's restart. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ChannelNodes } from './channel-nodes.ts';
import { compared, type Measurement, measured } from './measurement.ts';
import { type Run, unlessStopped } from './run.ts';

const NODES = 300;
const NETWORKS = 1_000;
const EACH = 10;
const ROUNDS = 3;
const HOST = fileURLToPath(new URL('channel-host.ts', import.meta.url));

/** The benchmark `channels`. */
export async function channels({ signal, stage }: Run): Promise<Measurement[]> {
  const port = await freePort();
  const nodes = new ChannelNodes(NODES, port);
  const [reconnectMs, workMs, perChannelKb]: [number[], number[], number[]] = [[], [], []];
  const stalls: [busyMs: number, idleMs: number][] = [];
  let host = await Host.start(port);
  try {
    const first = nodes.count();
    nodes.start();
    stage(`${NODES} nodes connect`);
    await unlessStopped(signal, first);
    for (let round = 1; round <= ROUNDS; round++) {
      stage(`restart ${round} of ${ROUNDS}`);
      const all = nodes.count();
      await host.kill();
      host = await Host.start(port);
      const startMs = performance.now();
      await unlessStopped(signal, all);
      reconnectMs.push(performance.now() - startMs);
      const now = await host.look();
      if (now.channels !== NODES) throw new Error(`${now.channels} of ${NODES} channels stand`);
      workMs.push(now.workMs);
      // The same time without reconnecting nodes: other programs of the machine stall host0, too.
      await sleep(reconnectMs.at(-1) ?? 0, undefined, { signal });
      stalls.push([now.stallMs, (await host.look()).stallMs]);
      perChannelKb.push((now.rssBytes - host.atStart.rssBytes) / NODES / 1000);
    }
  } finally {
    nodes.close();
    await host.kill();
  }
  const what = `${NODES} nodes with ${EACH} of ${NETWORKS} networks each`;
  return [
    measured(
      { name: `${what}: back after host0's restart`, unit: 'ms', budget: { of: 'value', atMost: 5_000 } },
      reconnectMs,
      Math.max(...reconnectMs),
    ),
    measured(
      {
        name: "host0's main thread at work without a pause meanwhile",
        unit: 'ms',
        budget: { of: 'value', atMost: 100 },
      },
      workMs,
      Math.max(...workMs),
    ),
    compared(
      { name: "host0's main thread stalled meanwhile", unit: 'ms', budget: { of: 'value', atMost: 100 } },
      stalls,
    ),
    measured(
      { name: "host0's memory for each channel", unit: 'kB', budget: { of: 'value', atMost: 250 } },
      perChannelKb,
    ),
  ];
}

/** What the process of host0 tells. */
interface HostState {
  readonly channels: number;
  readonly rssBytes: number;
  readonly stallMs: number;
  readonly workMs: number;
}

/** The process of host0. */
class Host {
  readonly atStart: HostState;
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  private constructor(child: ChildProcess, lines: Interface, atStart: HostState) {
    this.#child = child;
    this.#lines = lines;
    this.atStart = atStart;
  }

  /** Resolves when it listens. */
  static async start(port: number): Promise<Host> {
    const words = ['--expose-gc', '--disable-warning=ExperimentalWarning', HOST, port, NODES, NETWORKS, EACH];
    const child = spawn(process.execPath, words.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface(child.stdout);
    return new Host(child, lines, await nextState(lines));
  }

  look(): Promise<HostState> {
    const state = nextState(this.#lines);
    this.#child.stdin?.write('\n');
    return state;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

async function nextState(lines: Interface): Promise<HostState> {
  const [line] = await once(lines, 'line');
  return JSON.parse(String(line)) as HostState;
}

async function freePort(): Promise<number> {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  await new Promise((resolve) => holder.close(resolve));
  return port;
}
