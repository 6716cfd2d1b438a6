/**
 * Which of host0's ports are on one segment: a probe from port after port, and the others listen. Who hears whom is one
 * group, and so are the ports of one bridge and those that settings join. Bounded: three rounds, of which the later ones ask only once for each group.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address, Link } from '../../kernel/rtnl/objects.ts';
import { FrameSocket } from '../../kernel/sockets/frame-socket.ts';
import type { NicView, ScanView } from '../../protocol/documents/boot-views.ts';
import { decodeScanProbe, encodeScanProbe, SCAN_FILTER } from '../frames/scan-probe.ts';
import { groupsOf } from './nic-groups.ts';

export type ScanLink = Pick<Link, 'index' | 'name' | 'mac' | 'up' | 'running' | 'master' | 'kind'>;
export type ScanAddress = Pick<Address, 'family' | 'scope' | 'link' | 'address' | 'length'>;

const ROUNDS = 3;
/** From one port to the next: a switch learns where a sender is before the next one speaks. */
const STEP_MS = 2;
/** A frame crosses several switches in less. */
const HEARING_MS = 150;

export interface ScanInput {
  /** What to scan, bridges among them: a bridge that a port is in speaks for the port. */
  readonly ports: readonly ScanLink[];
  readonly addresses: Iterable<ScanAddress>;
  /** Names of ports that are one group, whoever hears whom: some switches keep their ports apart. */
  readonly joinGroups: readonly (readonly string[])[];
  /** Where the ports are; the process's own namespace when absent. */
  readonly netns?: string;
}

export async function scan({ ports, addresses, joinGroups, netns }: ScanInput): Promise<ScanView> {
  const startMs = performance.now();
  const time = new Date().toISOString();
  const known = [...addresses];
  const own = ports.map((port, number) => [number, bridgeNumber(port, ports)] as const);
  const bridged = own.flatMap(([a, b]) => (b === undefined ? [] : [[a, b] as const]));
  const joined = [...bridged, ...joinGroups.flatMap((group) => pairsOf(group, ports))];
  const heard = await hear(ports, joined, netns);
  const groups = groupsOf(ports.length, [...joined, ...heard]).filter((group) =>
    group.some((number) => ports[number]?.running),
  );
  const nameOf = (number: number) => ports[number]?.name ?? '';
  return {
    time,
    tookMs: Math.round(performance.now() - startMs),
    groups: groups.map((group) => group.map(nameOf)),
    nics: ports.map((port) => portView(port, ports, known)),
    heard: heard.map(([from, by]) => ({ from: nameOf(from), by: nameOf(by) })),
  };
}

function bridgeNumber({ master }: ScanLink, ports: readonly ScanLink[]): number | undefined {
  const number = master === 0 ? -1 : ports.findIndex(({ index }) => index === master);
  return number < 0 ? undefined : number;
}

/** Each of a group with its first; those that are not there are passed over. */
function pairsOf(group: readonly string[], ports: readonly ScanLink[]): (readonly [number, number])[] {
  const [first, ...others] = [...ports.keys()].filter((number) => group.includes(ports[number]?.name ?? ''));
  return first === undefined ? [] : others.map((other) => [first, other]);
}

function portView(port: ScanLink, ports: readonly ScanLink[], addresses: readonly ScanAddress[]): NicView {
  const { index, name, mac, up, running, master } = port;
  const bridge = ports.find((other) => other.index === master)?.name;
  const ipv4 = addresses
    .filter(({ family, link, scope }) => family === 4 && link === index && scope === 'global')
    .map(({ address, length }) => `${address}/${length}`);
  return { name, mac, up, carrier: running, ipv4, ...(bridge !== undefined && { bridge }) };
}

/** Pairs of sender and hearer. A port that cannot be listened at is one that hears nothing. */
async function hear(
  ports: readonly ScanLink[],
  joined: readonly (readonly [number, number])[],
  netns: string | undefined,
): Promise<(readonly [number, number])[]> {
  const id = randomBytes(8).readBigUInt64BE();
  const pairs = new Map<string, readonly [number, number]>();
  const sockets = new Map<number, FrameSocket>();
  try {
    for (const [number, { index, running, kind }] of ports.entries()) {
      // A bridge hears what its ports hear, and what it sends they send.
      if (!running || kind === 'bridge') continue;
      const socket = attempt(() =>
        FrameSocket.open({
          link: index,
          filter: SCAN_FILTER,
          ...(netns !== undefined && { netns }),
          onFrame: ({ bytes }) => {
            const probe = decodeScanProbe(bytes);
            if (probe === undefined || probe.scan !== id || probe.nic === number || probe.nic >= ports.length) return;
            pairs.set(`${probe.nic} ${number}`, [probe.nic, number]);
          },
          onError: () => {},
        }),
      );
      if (socket !== undefined) sockets.set(number, socket);
    }
    for (let round = 0; round < ROUNDS; round++) {
      const groups = groupsOf(ports.length, [...joined, ...pairs.values()]);
      for (const number of speakers(groups, sockets, round)) {
        const mac = ports[number]?.mac;
        if (mac === undefined) continue;
        attempt(() => sockets.get(number)?.send(encodeScanProbe(mac, { scan: id, nic: number })));
        await sleep(STEP_MS);
      }
      await sleep(HEARING_MS);
    }
    return [...pairs.values()];
  } finally {
    for (const socket of sockets.values()) socket.close();
  }
}

/** Everybody at first; then one for each group that is known, or a switch with 300 ports would carry 300 × 300 frames again. */
function speakers(groups: readonly number[][], sockets: ReadonlyMap<number, unknown>, round: number): number[] {
  const able = groups.map((group) => group.filter((number) => sockets.has(number)));
  return able.flatMap((group) => (round === 0 ? group : group.slice(0, 1)));
}

/** A device may go at any moment. */
function attempt<T>(body: () => T): T | undefined {
  try {
    return body();
  } catch {
    return undefined;
  }
}
