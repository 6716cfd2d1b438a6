/**
 * Pings that are lost by the machine under the lab, not by a mesh: the hosts of the lab share buffers that real hosts do not.
 *
 * - Packets between namespaces wait in a queue of each processor. When it is full, they are dropped (softnet_stat).
 * - One socket of each processor sends the answers to all echoes. While answers of one host wait for a neighbour entry, the
 *   socket has no room for answers of other hosts (Icmp6OutErrors of the host that would have answered).
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { inNetns, netnsPath } from '../../../src/kernel/netns.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { droppedInQueues } from '../../kit/queue-drops.ts';
import type { Span } from './excuse.ts';

const LOOK_MS = 50;
/** The limit for packets that wait for one neighbour, in place of 200 kB, because other tests ping at the same time. */
const QUEUE_BYTES = 2_048;
const MACHINE = 'the machine';

/** Reads the counters of the machine and of all hosts every 50 ms, until it is disposed of. */
export class MachineLosses implements Disposable {
  readonly #hosts: readonly LabHost[];
  readonly #timer: NodeJS.Timeout;
  readonly #counts = new Map<string, number>();
  readonly #spans = new Map<string, Span[]>();
  #lookedMs = performance.now();

  constructor(hosts: readonly LabHost[]) {
    this.#hosts = hosts;
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** When pings to `host` may have been lost by the machine. */
  of(host: LabHost): readonly Span[] {
    return [MACHINE, host.name].flatMap((name) => this.#spans.get(name) ?? []);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const span = { fromMs: this.#lookedMs - LOOK_MS, toMs: performance.now() };
    this.#lookedMs = span.toMs;
    this.#note(MACHINE, droppedInQueues(), span);
    for (const host of this.#hosts)
      this.#note(
        host.name,
        inNetns(netnsPath(host.netns), () => unanswered(host)),
        span,
      );
  }

  #note(name: string, count: number, span: Span): void {
    const before = this.#counts.get(name);
    this.#counts.set(name, count);
    if (before === undefined || before === count) return;
    this.#spans.set(name, [...(this.#spans.get(name) ?? []), span]);
  }
}

/** Counts answers that could not be sent, and limits the queues again, since a recreated bridge has the default. Runs in the host's namespace. */
function unanswered({ ports }: LabHost): number {
  shorten(`/proc/sys/net/ipv6/neigh/${EXAMPLE_MESH.bridge.name}/unres_qlen_bytes`);
  for (const { device } of ports) shorten(`/proc/sys/net/ipv4/neigh/${device}/unres_qlen_bytes`);
  const text = readFileSync('/proc/thread-self/net/snmp6', 'utf8');
  return Number(/^Icmp6OutErrors\s+(\d+)/m.exec(text)?.[1]);
}

function shorten(setting: string): void {
  if (!existsSync(setting)) return;
  try {
    writeFileSync(setting, `${QUEUE_BYTES}`);
  } catch {
    // Another fault has just removed the device.
  }
}
