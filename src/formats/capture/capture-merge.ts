/**
 * Merges the captures of several nodes into one, in the order of time, with the node's name before each interface. A packet
 * is held back until all other nodes have reported up to the same time, but not for long: a node that is silent, behind or
 * wrong is not waited for, and a node that lags is named. What a node sends takes a bounded part of the memory.
 */
import { MeshError } from '../../model/error.ts';
import type { PcapngPacket } from './pcapng.ts';
import { PcapngReader, pcapngInterface, pcapngPacket, pcapngSection, pcapngStatistics } from './pcapng.ts';

/** A node that sends nothing for so long counts as silent: nodes send statistics at least every 100 ms. */
const SILENCE_MS = 1_000;
/** A packet is written so long after its arrival, whatever the nodes report. Clocks of one site differ by less. */
const HOLD_MAX_MS = 2_000;
/** When more is held back, the oldest packets are written. Ten nodes at their limit send about as much in HOLD_MAX_MS. */
const HELD_MAX_BYTES = 16 * 1024 * 1024;
/** What a held packet takes beside its bytes. */
const PACKET_OVERHEAD_BYTES = 256;
/** host0 has one for each segment, other nodes have two. */
const INTERFACES_MAX = 64;
/** The longest interface name that is taken over: a device name has at most 15 characters. */
const NAME_MAX_LENGTH = 40;

interface HeldPacket {
  readonly packet: PcapngPacket;
  readonly of: CapturedInterface;
  readonly from: Stream;
  readonly arrivedMs: number;
}

interface Stream {
  readonly node: string;
  readonly reader: PcapngReader;
  readonly interfaces: CapturedInterface[];
  /** All packets of the node up to this time have arrived. */
  knownNs: bigint;
  heardMs: number;
  ended: boolean;
}

/** An interface of the merged capture, with its counts. */
export interface CapturedInterface {
  /** `node1:vxlan456 (inner)` */
  readonly name: string;
  readonly id: number;
  /** Packets that were written. */
  packets: number;
  /** Packets that the node's kernel dropped because a buffer was full. */
  dropped: number;
}

/** Takes the streams of the nodes, and gives the merged file. */
export class CaptureMerge {
  readonly #streams: readonly Stream[];
  readonly #interfaces: CapturedInterface[] = [];
  readonly #lagging = new Set<string>();
  #held: HeldPacket[] = [];
  #heldBytes = 0;
  #out: Buffer[];
  #left: number;

  /**
   * @param nodes the names of the nodes; streams have the same indexes
   * @param application written into the section header
   * @param count the most packets to write
   */
  constructor(nodes: readonly string[], application: string, count: number, nowMs: number) {
    this.#streams = nodes.map((node) => ({
      node,
      reader: new PcapngReader(),
      interfaces: [],
      knownNs: 0n,
      heardMs: nowMs,
      ended: false,
    }));
    this.#out = [pcapngSection(application)];
    this.#left = count;
  }

  get interfaces(): readonly Readonly<CapturedInterface>[] {
    return this.#interfaces;
  }

  /** Whether `count` packets have been written. */
  get isFull(): boolean {
    return this.#left === 0;
  }

  /** Whether `take` must be called before more is pushed. */
  get isOverfull(): boolean {
    return this.#heldBytes > HELD_MAX_BYTES;
  }

  /** Nodes that have been waited for in vain so far: packets of other nodes, or their own, were written without them. */
  get lagging(): ReadonlySet<string> {
    return this.#lagging;
  }

  /**
   * Takes a chunk of a node's stream.
   * @throws MESH_USAGE for a stream that is not pcapng, or has too many interfaces
   */
  push(stream: number, chunk: Uint8Array, nowMs: number): void {
    const from = this.#streams[stream];
    if (from === undefined || from.ended) return;
    from.heardMs = nowMs;
    for (const block of from.reader.push(chunk)) {
      if (block.type === 'interface') this.#addInterface(from, block.name, block.snapBytes);
      else if (block.type === 'packet') {
        const of = from.interfaces[block.interfaceId];
        if (of !== undefined) this.#hold({ packet: kept(block), of, from, arrivedMs: nowMs });
      } else if (block.type === 'statistics') {
        if (block.timeNs > from.knownNs) from.knownNs = block.timeNs;
        const counted = from.interfaces[block.interfaceId];
        if (counted !== undefined) counted.dropped = block.dropped;
      }
    }
  }

  /** Notes that a node's stream is over. */
  end(stream: number): void {
    const of = this.#streams[stream];
    if (of !== undefined) of.ended = true;
  }

  /** The bytes that can be written now. */
  take(nowMs: number): Buffer {
    const awaited = this.#streams.filter(({ ended, heardMs }) => !ended && nowMs - heardMs < SILENCE_MS);
    const untilNs = awaited.reduce<bigint | undefined>(
      (least, { knownNs }) => (least === undefined || knownNs < least ? knownNs : least),
      undefined,
    );
    const inOrder = this.#release(({ packet }) => untilNs === undefined || packet.timeNs <= untilNs);
    const overdue = this.#release(({ arrivedMs }) => nowMs - arrivedMs >= HOLD_MAX_MS);
    const tooMuch = this.#releaseOldest();
    for (const packet of [...overdue, ...tooMuch]) this.#blame(packet, awaited);
    return this.#written([...inOrder, ...overdue, ...tooMuch]);
  }

  /** The remaining packets, and the statistics of all interfaces. */
  finish(timeNs: bigint): Buffer {
    const rest = this.#written(this.#release(() => true));
    const counted = this.#interfaces.map(({ id, packets, dropped }) =>
      pcapngStatistics({ interfaceId: id, timeNs, received: packets + dropped, dropped }),
    );
    return Buffer.concat([rest, ...counted]);
  }

  #addInterface(stream: Stream, name: string, snapBytes: number): void {
    if (stream.interfaces.length >= INTERFACES_MAX) {
      throw new MeshError('MESH_USAGE', `${stream.node} sends more than ${INTERFACES_MAX} interfaces`, {
        object: stream.node,
        remedy: `Capture without this node, and look at its agent: it is no agent of Meshwork, or a damaged one.`,
      });
    }
    const id = this.#interfaces.length;
    const added = { name: `${stream.node}:${name.slice(0, NAME_MAX_LENGTH)}`, id, packets: 0, dropped: 0 };
    stream.interfaces.push(added);
    this.#interfaces.push(added);
    this.#out.push(pcapngInterface({ name: added.name, snapBytes }));
  }

  #hold(packet: HeldPacket): void {
    this.#held.push(packet);
    this.#heldBytes += memoryOf(packet);
  }

  /** The held packets that are `ready`; they are no longer held. */
  #release(ready: (packet: HeldPacket) => boolean): HeldPacket[] {
    const released: HeldPacket[] = [];
    const waiting: HeldPacket[] = [];
    for (const packet of this.#held) (ready(packet) ? released : waiting).push(packet);
    this.#held = waiting;
    for (const packet of released) this.#heldBytes -= memoryOf(packet);
    return released;
  }

  /** When too much is held, the oldest packets down to half of the limit, so that this is seldom done. */
  #releaseOldest(): HeldPacket[] {
    if (!this.isOverfull) return [];
    this.#held.sort(byTime);
    let surplus = this.#heldBytes - HELD_MAX_BYTES / 2;
    const kept = this.#held.findIndex((packet) => {
      surplus -= memoryOf(packet);
      return surplus <= 0;
    });
    const last = this.#held[kept]?.packet.timeNs ?? 0n;
    return this.#release(({ packet }) => packet.timeNs <= last);
  }

  /** Names the nodes for which a packet would have to wait longer. */
  #blame({ packet, from }: HeldPacket, awaited: readonly Stream[]): void {
    // A packet of a time that its own node has not reached: the node's clock jumps, or it makes times up.
    const behind = (stream: Stream) => stream.knownNs < packet.timeNs;
    const causes = behind(from) ? [from] : awaited.filter(behind);
    for (const { node } of causes) this.#lagging.add(node);
  }

  #written(ready: HeldPacket[]): Buffer {
    ready.sort(byTime);
    for (const { packet, of } of ready.slice(0, this.#left)) {
      of.packets++;
      this.#left--;
      this.#out.push(pcapngPacket({ ...packet, interfaceId: of.id }));
    }
    const blocks = Buffer.concat(this.#out);
    this.#out = [];
    return blocks;
  }
}

/** A copy: the bytes of a block belong to a chunk. */
function kept(packet: PcapngPacket): PcapngPacket {
  const { interfaceId, timeNs, frameBytes } = packet;
  return { interfaceId, timeNs, frameBytes, bytes: Uint8Array.from(packet.bytes) };
}

function memoryOf({ packet }: HeldPacket): number {
  return packet.bytes.length + PACKET_OVERHEAD_BYTES;
}

function byTime(a: HeldPacket, b: HeldPacket): number {
  return Number(a.packet.timeNs - b.packet.timeNs);
}
