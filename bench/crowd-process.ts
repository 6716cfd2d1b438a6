/** The process of a crowd (crowd.ts): each member has a stream of events, and reports every three seconds on a new connection. */
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { Ipv4 } from '../src/model/address/ipv4.ts';
import type { Ipv6 } from '../src/model/address/ipv6.ts';
import type { MachineId } from '../src/model/machine.ts';
import type { Member } from '../src/model/network/member.ts';
import { reportIntervalMs, type SelfReport } from '../src/protocol/documents/membership.ts';
import { MEMBERSHIP_PORT } from '../src/protocol/documents/tcp-ports.ts';

/** What the process needs of one member. */
export type CrowdMember = Omit<Member, 'mac'> & { readonly machine: MachineId; readonly ipv4: Ipv4 };

/** The message that starts the crowd. */
export interface CrowdOrder {
  readonly host0: Ipv6;
  readonly perSecond: number;
  readonly members: readonly CrowdMember[];
}

/** The counters of the process, since its start. */
export interface CrowdCount {
  readonly joined: number;
  /** Reports that host0 answered with an error. */
  readonly refused: number;
  /** Reports that host0 did not answer. */
  readonly lost: number;
  /** Streams that are open now. */
  readonly streams: number;
  /** Reports that host0 accepted. */
  readonly reports: number;
  /** Messages and bytes that host0 sent on all streams. */
  readonly messages: number;
  readonly bytes: number;
}

const TELL_MS = 100;
const RETRY_MS = 500;
const ANSWER_TIMEOUT_MS = 3_000;

const count = { joined: 0, refused: 0, lost: 0, streams: 0, reports: 0, messages: 0, bytes: 0 };

/** One member: reports and listens like an agent, and has no kernel of its own. */
class SimulatedMember {
  readonly #host0: Ipv6;
  readonly #ipv6: Ipv6;
  readonly #intervalMs: number;
  readonly #request: string;
  #joined = false;
  #stream: Socket | undefined;

  constructor(host0: Ipv6, { name, ipv4, ipv6, machine }: CrowdMember) {
    const report: SelfReport = { machine, name, instance: `boot-${name}`, ipv4, state: { phase: 'ready' } };
    const body = JSON.stringify(report);
    this.#host0 = host0;
    this.#ipv6 = ipv6;
    this.#intervalMs = reportIntervalMs(machine);
    this.#request =
      `PUT /self HTTP/1.1\r\nHost: [${host0}]:${MEMBERSHIP_PORT}\r\nConnection: close\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }

  report(): void {
    const socket = this.#connect();
    let answer = '';
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    socket.on('data', (chunk) => {
      if (answer === '') answer = chunk.toString('latin1', 0, 12);
    });
    socket.on('close', () => {
      const accepted = answer.endsWith(' 200');
      if (accepted) this.#accepted();
      else if (answer === '') count.lost++;
      else count.refused++;
      setTimeout(() => this.report(), accepted ? this.#intervalMs : RETRY_MS);
    });
    socket.write(this.#request);
  }

  #accepted(): void {
    count.reports++;
    if (!this.#joined) count.joined++;
    this.#joined = true;
    if (this.#stream !== undefined) return;
    const stream = this.#connect();
    this.#stream = stream;
    count.streams++;
    stream.on('data', (chunk) => {
      count.bytes += chunk.length;
      // An empty line ends every message, and occurs nowhere else: the data is JSON in one line.
      for (let at = chunk.indexOf('\n\n'); at >= 0; at = chunk.indexOf('\n\n', at + 2)) count.messages++;
    });
    stream.on('close', () => {
      this.#stream = undefined;
      count.streams--;
    });
    stream.write(`GET /events HTTP/1.1\r\nHost: [${this.#host0}]:${MEMBERSHIP_PORT}\r\n\r\n`);
  }

  #connect(): Socket {
    const socket = connect({ host: this.#host0, port: MEMBERSHIP_PORT, localAddress: this.#ipv6 });
    socket.on('error', () => socket.destroy());
    return socket;
  }
}

writeFileSync('/proc/sys/net/ipv6/ip_nonlocal_bind', '1');
process.on('message', ({ host0, perSecond, members }: CrowdOrder) => {
  for (const [index, member] of members.entries()) {
    const simulated = new SimulatedMember(host0, member);
    setTimeout(() => simulated.report(), (index / perSecond) * 1_000);
  }
  setInterval(() => process.send?.(count), TELL_MS);
});
process.on('disconnect', () => process.exit());
