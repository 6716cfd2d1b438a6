/**
 * Pings that the machine under the lab lost, and no mesh: hosts of their own would not share what runs full here.
 *
 * - Packets between namespaces wait in a queue of each processor. When it is full, they are dropped (softnet_stat).
 * - One socket of each processor sends the answers to all echoes. While those of one host wait for a neighbour, it has no
 *   room left for those of others (Icmp6OutErrors of the host that would have answered).
 */
import { readFileSync } from 'node:fs';
import { inNetns, netnsPath } from '../../../src/kernel/netns.ts';
import { inside } from '../../../src/kernel/netns-fixture.ts';
import type { LabHost } from '../../../src/lab/lab-host.ts';
import type { Span } from './excuse.ts';

const LOOK_MS = 50;
/** For packets that wait for one neighbour on the underlay, instead of 200 kB. */
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
    for (const { netns, ports } of hosts) {
      const settings = ports.map(({ device }) => `net.ipv4.neigh.${device}.unres_qlen_bytes=${QUEUE_BYTES}`);
      inside(netnsPath(netns), 'sysctl', '-qw', ...settings);
    }
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
    for (const { name, netns } of this.#hosts) this.#note(name, unansweredEchoes(netns), span);
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

function unansweredEchoes(netns: string): number {
  const text = inNetns(netnsPath(netns), () => readFileSync('/proc/thread-self/net/snmp6', 'utf8'));
  return Number(/^Icmp6OutErrors\s+(\d+)/m.exec(text)?.[1]);
}
