/**
 * Pings that the machine under the lab lost, and no mesh: hosts of their own would not share what runs full here.
 *
 * - Packets between namespaces wait in a queue of each processor. When it is full, they are dropped (softnet_stat).
 * - One socket of each processor sends the answers to all echoes. While those of one host wait for a neighbour, it has no
 *   room left for those of others (Icmp6OutErrors of the host that would have answered).
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { inNetns, netnsPath } from '../../../src/kernel/netns.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { Span } from './excuse.ts';

const LOOK_MS = 50;
/** For packets that wait for one neighbour, instead of 200 kB: other tests ping at the same time. */
const QUEUE_BYTES = 2_048;
const MACHINE = 'the machine';

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

  /** When pings of `host` may have been lost so. */
  of(host: LabHost): readonly Span[] {
    return [MACHINE, host.name].flatMap((name) => this.#spans.get(name) ?? []);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const span = { fromMs: this.#lookedMs - LOOK_MS, toMs: performance.now() };
    this.#lookedMs = span.toMs;
    this.#note(MACHINE, droppedByQueues(), span);
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

/** The second column of each processor's line, in hexadecimal. */
function droppedByQueues(): number {
  const lines = readFileSync('/proc/net/softnet_stat', 'utf8').trimEnd().split('\n');
  return lines.reduce((sum, line) => sum + Number.parseInt(line.split(' ')[1] ?? '', 16), 0);
}

/** To be called in the host's namespace. A bridge that was made anew has the usual queues again. */
function unanswered({ ports }: LabHost): number {
  shorten(`/proc/sys/net/ipv6/neigh/${EXAMPLE_MESH.devices.bridge}/unres_qlen_bytes`);
  for (const { device } of ports) shorten(`/proc/sys/net/ipv4/neigh/${device}/unres_qlen_bytes`);
  const text = readFileSync('/proc/thread-self/net/snmp6', 'utf8');
  return Number(/^Icmp6OutErrors\s+(\d+)/m.exec(text)?.[1]);
}

function shorten(setting: string): void {
  if (!existsSync(setting)) return;
  try {
    writeFileSync(setting, `${QUEUE_BYTES}`);
  } catch {
    // An outsider was quicker, and the device is gone.
  }
}
