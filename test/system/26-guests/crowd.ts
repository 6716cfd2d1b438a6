/**
 * Thirty-one guests on the nodes of a lab, behind ports that host0 has placed, each kept to its addresses. Thirty are network namespaces,
 * and talk in pairs of different nodes. The last one is this process, with the tap of its port open as an emulator has it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, writeSync } from 'node:fs';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNetns, netnsPath, type TemporaryNetns, temporaryNetns } from '../../../src/kernel/netns.ts';
import { ETHERTYPE, encodeEthernet, IP_PROTOCOL } from '../../../src/kernel/sockets/ethernet.ts';
import { openTap } from '../../../src/kernel/tap/tap.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { parseIpv4 } from '../../../src/model/address/ipv4.ts';
import { parseIpv6 } from '../../../src/model/address/ipv6.ts';
import { type Mac, macToBytes, parseMac } from '../../../src/model/address/mac.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { ipv4Frame, udp } from '../../kit/frames.ts';
import { ip } from '../../kit/namespaces.ts';

/** How many guests talk. */
const TALKERS = 30;
/** Frames for everybody that the last guest sends in a second. */
const STORM_PER_SEC = 10_000;
const BROADCAST = parseMac('ff:ff:ff:ff:ff:ff');
/** The sender sleeps for about this long between two looks at its clock. */
const PAUSE_MS = 2;
/**
 * Frames between two pauses at most: those of a fifth of a second, after which a busy machine runs the sender again. A machine that is
 * too busy for all of them must not wait for the sender alone.
 */
const BURST = STORM_PER_SEC / 5;
/** `struct virtio_net_hdr` before each frame of a tap: no offload. */
const VNET_HEADER = Buffer.alloc(10);
/** Each pair pings in both families, with this pause between two pings. */
const PING_SEC = 0.02;

/** A guest. */
interface Member {
  readonly number: number;
  readonly node: LabHost;
  /** Its interface on the node. */
  readonly link: string;
  readonly mac: Mac;
}

/** A guest that is a network namespace. */
interface Talker extends Member {
  readonly netns: TemporaryNetns;
}

const ipv4Of = (number: number) => `10.78.0.${number}`;
const ipv6Of = (number: number) => `fd78::${number.toString(16)}`;

/** The guests. Disposing of them removes their namespaces, and so their interfaces. */
export class Crowd implements Disposable {
  readonly #talkers: readonly Talker[];
  /** The guest that sends to everybody. */
  readonly stormer: Member;

  private constructor(talkers: readonly Talker[], stormer: Member) {
    this.#talkers = talkers;
    this.stormer = stormer;
  }

  /** Makes the guests, and asks host0 to place their ports in the network. */
  static async place(host0: LabHost, nodes: readonly LabHost[], network: string): Promise<Crowd> {
    const memberOf = (number: number): Member => ({
      ...{ number, node: nodes[(number - 1) % nodes.length] as LabHost, link: `g${number}` },
      mac: parseMac(`02:00:00:00:78:${number.toString(16).padStart(2, '0')}`),
    });
    const talkers = Array.from(
      { length: TALKERS },
      (_, at): Talker => ({ ...memberOf(at + 1), netns: temporaryNetns() }),
    );
    try {
      for (const node of nodes) {
        const here = talkers.filter((member) => member.node === node);
        ip(
          netnsPath(node.netns),
          ...here.flatMap(({ link, mac, netns }) => [
            `link add ${link} mtu 1380 type veth peer name eth0 address ${mac} mtu 1380 netns ${netns.path}`,
            `link set ${link} up`,
          ]),
        );
      }
      const client = host0Client(pathsBelow(host0.root));
      const place = ({ number, node, mac }: Member, more: { readonly interface?: string }) =>
        client.ask('POST /v1/ports', {
          body: {
            ...{ network, node: node.name, mac, ...more },
            addresses: [parseIpv4(ipv4Of(number)), parseIpv6(ipv6Of(number))],
          },
        });
      for (const talker of talkers) {
        const { number, netns, link } = talker;
        ip(
          netns.path,
          'link set lo up',
          'link set eth0 up',
          `address add ${ipv4Of(number)}/24 dev eth0`,
          `address add ${ipv6Of(number)}/64 dev eth0 nodad`,
        );
        await place(talker, { interface: link });
      }
      const last = memberOf(TALKERS + 1);
      return new Crowd(talkers, { ...last, link: (await place(last, {})).interface });
    } catch (error) {
      for (const { netns } of talkers) netns.close();
      throw error;
    }
  }

  /**
   * Half of the talkers ping the other half, all at once. No one knows an Ethernet address before.
   * @returns how many pings were sent, and how many were answered
   */
  async talk(count: number): Promise<{ readonly sent: number; readonly answered: number }> {
    const half = TALKERS / 2;
    const pings = this.#talkers.slice(0, half).flatMap(({ number, netns }) =>
      [ipv4Of, ipv6Of].map(async (addressOf) => {
        // A guest on another node: its number differs by a number that is no multiple of the number of nodes.
        const to = addressOf(((number + 1) % half) + half + 1);
        const words = ['-n', '-q', '-i', String(PING_SEC), '-c', String(count), '-W', '10', to];
        const child = inNetns(netns.path, () => spawn('ping', words, { stdio: ['ignore', 'pipe', 'ignore'] }));
        const [said] = await Promise.all([textOf(child.stdout), once(child, 'exit')]);
        const [, sent, answered] = /(\d+) packets transmitted, (\d+) received/.exec(said) ?? [];
        return { sent: Number(sent), answered: Number(answered) };
      }),
    );
    const all = await Promise.all(pings);
    const sum = (of: 'sent' | 'answered') => all.reduce((total, ping) => total + ping[of], 0);
    return { sent: sum('sent'), answered: sum('answered') };
  }

  /** The last guest sends to everybody until the body ends. @returns what the body returns, and how many frames it has sent in how many seconds */
  async storm<T>(
    body: () => Promise<T>,
  ): Promise<{ readonly result: T; readonly frames: number; readonly sec: number }> {
    const { node, link, mac, number } = this.stormer;
    const tap = openTap(link, { netns: netnsPath(node.netns) });
    const own = [10, 78, 0, number];
    const ends = { from: mac, to: BROADCAST };
    const everybody = { source: own, destination: [255, 255, 255, 255] };
    // Those that all have to read, and questions that one has to answer.
    const frames = [
      ipv4Frame(ends, everybody, IP_PROTOCOL.udp, udp(9, 9, Buffer.alloc(64, 7))),
      arpRequest(mac, own, [10, 78, 0, 1]),
    ].map((frame) => Buffer.concat([VNET_HEADER, frame]));
    const startMs = performance.now();
    const end = { isDue: false };
    const result = body().finally(() => {
      end.isDue = true;
    });
    let sent = 0;
    try {
      for (; !end.isDue; await sleep(PAUSE_MS)) {
        const due = ((performance.now() - startMs) / 1_000) * STORM_PER_SEC;
        const most = Math.min(due, sent + BURST);
        for (; sent < most; sent++) writeSync(tap, frames[sent % frames.length] ?? Buffer.alloc(0));
      }
    } finally {
      closeSync(tap);
    }
    return { result: await result, frames: sent, sec: (performance.now() - startMs) / 1_000 };
  }

  [Symbol.dispose](): void {
    for (const { netns } of this.#talkers) netns.close();
  }
}

/** An ARP request for an IPv4 address (RFC 826). */
function arpRequest(from: Mac, source: readonly number[], target: readonly number[]): Buffer {
  const packet = Buffer.concat([
    Buffer.from('0001080006040001', 'hex'),
    macToBytes(from),
    Buffer.from(source),
    Buffer.alloc(6),
    Buffer.from(target),
  ]);
  return encodeEthernet({ from, to: BROADCAST, type: ETHERTYPE.arp }, Buffer.concat([packet, Buffer.alloc(18)]));
}
