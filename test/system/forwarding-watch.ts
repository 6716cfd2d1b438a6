/** Which members a host has stopped forwarding to, as reported by `bridge monitor`. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { netnsPath } from '../../src/kernel/netns.ts';
import type { Lab } from '../../src/lab/cluster/lab.ts';
import { spawnInside } from '../../src/lab/hosts/host-process.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { inside } from '../kit/namespaces.ts';
import { until } from './until.ts';

/** A monitor shows an entry within a millisecond, once it has started. */
const SHOWN_DEADLINE_MS = 10_000;
/** An Ethernet address that no member has. When the monitor has shown its entry, it has shown all earlier events. */
const MARKER = '02:00:00:00:00:01';

/** Follows the FDB entries of one host. */
export class ForwardingWatch {
  readonly #host: LabHost;
  readonly #monitor: ChildProcess;
  #heard = '';

  private constructor(host: LabHost) {
    this.#host = host;
    this.#monitor = spawnInside(host.netns, ['bridge', 'monitor', 'fdb'], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#monitor.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#heard += text;
    });
  }

  /** Starts to watch; resolves once the monitor shows events. */
  static async of(host: LabHost): Promise<ForwardingWatch> {
    const watch = new ForwardingWatch(host);
    await watch.#mark();
    return watch;
  }

  /** The names of those of `members` that lost an entry since the last call, or since the start. */
  async dropped(members: readonly LabHost[]): Promise<string[]> {
    const deleted = (await this.#lines(members)).filter(({ line }) => line.startsWith('Deleted '));
    return [...new Set(deleted.map(({ name }) => name))];
  }

  /** The changes of entries of `members` since the last call, or since the start. */
  async changes(members: readonly LabHost[]): Promise<string[]> {
    return (await this.#lines(members)).map(({ name, line }) => `${this.#host.name}, of ${name}: ${line}`);
  }

  async close(): Promise<void> {
    if (this.#monitor.exitCode !== null || this.#monitor.signalCode !== null) return;
    const exited = once(this.#monitor, 'exit');
    this.#monitor.kill();
    await exited;
  }

  async #lines(members: readonly LabHost[]): Promise<{ name: string; line: string }[]> {
    await this.#mark();
    const lines = this.#heard.split('\n');
    this.#heard = '';
    return members.flatMap(({ name, member: { mac } }) =>
      lines.filter((line) => line.includes(mac)).map((line) => ({ name, line })),
    );
  }

  async #mark(): Promise<void> {
    const device = this.#host.ports[0]?.device ?? '';
    const entry = (verb: 'add' | 'delete') =>
      inside(netnsPath(this.#host.netns), 'bridge', 'fdb', verb, MARKER, 'dev', device, 'self', 'permanent');
    await until(`the monitor of ${this.#host.name} shows an entry`, SHOWN_DEADLINE_MS, () => {
      if (this.#heard.includes(`Deleted ${MARKER}`)) return true;
      entry('add');
      entry('delete');
      return false;
    });
  }
}

/**
 * Runs `work` while the FDB entries of `hosts` are watched.
 * @returns by the host's name, the members whose entries the host deleted; empty if no host deleted any
 */
export async function droppedDuring(
  lab: Lab,
  hosts: readonly LabHost[],
  work: () => Promise<void>,
): Promise<Record<string, readonly string[]>> {
  const watches = new Map<string, ForwardingWatch>();
  try {
    for (const host of hosts) watches.set(host.name, await ForwardingWatch.of(host));
    await work();
    const dropped: Record<string, readonly string[]> = {};
    for (const [name, watch] of watches) {
      const members = await watch.dropped(lab.hosts);
      if (members.length > 0) dropped[name] = members;
    }
    return dropped;
  } finally {
    for (const watch of watches.values()) await watch.close();
  }
}
