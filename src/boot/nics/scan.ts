/**
 * Finds out which of host0's NICs are on one segment. One NIC after another sends a probe, and the others listen. NICs that
 * hear each other are one group; so are the ports of one bridge, and the NICs that `join_groups` joins. The effort is bounded:
 * there are three rounds, and in the second and third only one NIC of each group sends.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address, Link } from '../../kernel/rtnl/objects.ts';
import { FrameSocket } from '../../kernel/sockets/frame-socket.ts';
import type { NicView, ScanView } from '../../protocol/documents/boot-views.ts';
import { decodeScanProbe, encodeScanProbe, SCAN_FILTER } from '../frames/scan-probe.ts';
import { groupsOf } from './nic-groups.ts';

type ScanLink = Pick<Link, 'index' | 'name' | 'mac' | 'up' | 'running' | 'master' | 'kind'>;
type ScanAddress = Pick<Address, 'family' | 'scope' | 'link' | 'address' | 'length'>;

const ROUNDS = 3;
/** The pause between two probes: a switch learns where the sender is before the next NIC sends. */
const STEP_MS = 2;
/** How long a round listens after its last probe. A frame crosses several switches in less time. */
const HEARING_MS = 150;

interface ScanInput {
  /** The NICs to scan, with the bridges that they are in: a NIC and its bridge become one group. */
  readonly nics: readonly ScanLink[];
  readonly addresses: Iterable<ScanAddress>;
  /** Names of NICs that are one group even if they do not hear each other, as on a switch that isolates its ports. */
  readonly joinGroups: readonly (readonly string[])[];
  /** The network namespace of the NICs; by default that of the process. */
  readonly netns?: string;
}

/** Scans once; takes about half a second, and longer with many NICs. NICs that cannot send or listen count as silent. */
export async function scan({ nics, addresses, joinGroups, netns }: ScanInput): Promise<ScanView> {
  const startMs = performance.now();
  const time = new Date().toISOString();
  const known = [...addresses];
  const inBridges = nics.map((nic, number) => [number, bridgeNumber(nic, nics)] as const);
  const bridged = inBridges.flatMap(([a, b]) => (b === undefined ? [] : [[a, b] as const]));
  const joined = [...bridged, ...joinGroups.flatMap((group) => pairsOf(group, nics))];
  const heard = await hear(nics, joined, netns);
  const groups = groupsOf(nics.length, [...joined, ...heard]).filter((group) =>
    group.some((number) => nics[number]?.running),
  );
  const nameOf = (number: number) => nics[number]?.name ?? '';
  return {
    time,
    tookMs: Math.round(performance.now() - startMs),
    groups: groups.map((group) => group.map(nameOf)),
    nics: nics.map((nic) => nicView(nic, nics, known)),
    heard: heard.map(([from, by]) => ({ from: nameOf(from), by: nameOf(by) })),
  };
}

/** The position in `nics` of the bridge that a NIC is in. */
function bridgeNumber({ master }: ScanLink, nics: readonly ScanLink[]): number | undefined {
  const number = master === 0 ? -1 : nics.findIndex(({ index }) => index === master);
  return number < 0 ? undefined : number;
}

/** Pairs each NIC of a group with the first. Names without a NIC are ignored. */
function pairsOf(group: readonly string[], nics: readonly ScanLink[]): (readonly [number, number])[] {
  const [first, ...others] = [...nics.keys()].filter((number) => group.includes(nics[number]?.name ?? ''));
  return first === undefined ? [] : others.map((other) => [first, other]);
}

function nicView(nic: ScanLink, nics: readonly ScanLink[], addresses: readonly ScanAddress[]): NicView {
  const { index, name, mac, up, running, master } = nic;
  const bridge = nics.find((other) => other.index === master)?.name;
  const ipv4 = addresses
    .filter(({ family, link, scope }) => family === 4 && link === index && scope === 'global')
    .map(({ address, length }) => `${address}/${length}`);
  return { name, mac, up, carrier: running, ipv4, ...(bridge !== undefined && { bridge }) };
}

/** Sends and hears the probes. @returns pairs of sender and listener, as positions in `nics` */
async function hear(
  nics: readonly ScanLink[],
  joined: readonly (readonly [number, number])[],
  netns: string | undefined,
): Promise<(readonly [number, number])[]> {
  const id = randomBytes(8).readBigUInt64BE();
  const pairs = new Map<string, readonly [number, number]>();
  const sockets = new Map<number, FrameSocket>();
  try {
    for (const [number, { index, running, kind }] of nics.entries()) {
      // A bridge hears the frames that its ports hear, and sends through them: it would only repeat them.
      if (!running || kind === 'bridge') continue;
      const socket = attempt(() =>
        FrameSocket.open({
          link: index,
          filter: SCAN_FILTER,
          ...(netns !== undefined && { netns }),
          onFrame: ({ bytes }) => {
            const probe = decodeScanProbe(bytes);
            if (probe === undefined || probe.scan !== id || probe.nic === number || probe.nic >= nics.length) return;
            pairs.set(`${probe.nic} ${number}`, [probe.nic, number]);
          },
          onError: () => {},
        }),
      );
      if (socket !== undefined) sockets.set(number, socket);
    }
    for (let round = 0; round < ROUNDS; round++) {
      const groups = groupsOf(nics.length, [...joined, ...pairs.values()]);
      for (const number of speakers(groups, sockets, round)) {
        const mac = nics[number]?.mac;
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

/**
 * Which NICs send in a round: all in the first, then one of each known group. Otherwise a switch with 300 NICs would carry
 * 300 × 300 frames in each round.
 */
function speakers(groups: readonly number[][], sockets: ReadonlyMap<number, unknown>, round: number): number[] {
  const able = groups.map((group) => group.filter((number) => sockets.has(number)));
  return able.flatMap((group) => (round === 0 ? group : group.slice(0, 1)));
}

/** @returns undefined if `body` throws: a device may disappear at any moment */
function attempt<T>(body: () => T): T | undefined {
  try {
    return body();
  } catch {
    return undefined;
  }
}
