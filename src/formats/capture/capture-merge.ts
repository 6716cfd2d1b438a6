/**
 * Merges the captures of several nodes into one, in the order of time, with the node's name before each interface. A packet
 * is held back until all other nodes have reported up to the same time. A silent node is not waited for.
 */

import type { PcapngPacket } from './pcapng.ts';
import { PcapngReader, pcapngInterface, pcapngPacket, pcapngSection, pcapngStatistics } from './pcapng.ts';

/** A node that sends nothing for so long counts as silent: nodes send statistics at least every 100 ms. */
const SILENCE_MS = 1_000;
/** The longest interface name that is taken over: a device name has at most 15 characters. */
const NAME_MAX_LENGTH = 40;

interface Stream {
  readonly node: string;
  readonly reader: PcapngReader;
  readonly interfaces: CapturedInterface[];
  packets: PcapngPacket[];
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
      packets: [],
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

  /**
   * Takes a chunk of a node's stream.
   * @throws MESH_USAGE for a stream that is not pcapng
   */
  push(stream: number, chunk: Uint8Array, nowMs: number): void {
    const of = this.#streams[stream];
    if (of === undefined || of.ended) return;
    of.heardMs = nowMs;
    for (const block of of.reader.push(chunk)) {
      if (block.type === 'interface') this.#addInterface(of, block.name, block.snapBytes);
      else if (block.type === 'packet') {
        of.packets.push({ ...block, bytes: Uint8Array.from(block.bytes) });
      } else if (block.type === 'statistics') {
        if (block.timeNs > of.knownNs) of.knownNs = block.timeNs;
        const counted = of.interfaces[block.interfaceId];
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
    return this.#flush(untilNs);
  }

  /** The remaining packets, and the statistics of all interfaces. */
  finish(timeNs: bigint): Buffer {
    const rest = this.#flush(undefined);
    const counted = this.#interfaces.map(({ id, packets, dropped }) =>
      pcapngStatistics({ interfaceId: id, timeNs, received: packets + dropped, dropped }),
    );
    return Buffer.concat([rest, ...counted]);
  }

  #addInterface(stream: Stream, name: string, snapBytes: number): void {
    const id = this.#interfaces.length;
    const added = { name: `${stream.node}:${name.slice(0, NAME_MAX_LENGTH)}`, id, packets: 0, dropped: 0 };
    stream.interfaces.push(added);
    this.#interfaces.push(added);
    this.#out.push(pcapngInterface({ name: added.name, snapBytes }));
  }

  /** @param untilNs later packets stay held back; undefined for none */
  #flush(untilNs: bigint | undefined): Buffer {
    const ready: { readonly packet: PcapngPacket; readonly of: CapturedInterface }[] = [];
    for (const stream of this.#streams) {
      const waiting: PcapngPacket[] = [];
      for (const packet of stream.packets) {
        const of = stream.interfaces[packet.interfaceId];
        if (untilNs !== undefined && packet.timeNs > untilNs) waiting.push(packet);
        else if (of !== undefined) ready.push({ packet, of });
      }
      stream.packets = waiting;
    }
    ready.sort((a, b) => Number(a.packet.timeNs - b.packet.timeNs));
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
