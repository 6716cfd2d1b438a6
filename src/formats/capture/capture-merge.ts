/**
 * Captures of several nodes as one: in the order of time, each interface with its node's name. What a node tells is held
 * back until every other one has told of the same moment; one that is silent is not waited for.
 */

import type { PcapngPacket } from './pcapng.ts';
import { PcapngReader, pcapngInterface, pcapngPacket, pcapngSection, pcapngStatistics } from './pcapng.ts';

/** Something comes from every node each 50 ms. */
const SILENCE_MS = 1_000;
/** Interface names are cut here: a device's name has 15 characters. */
const NAME_MAX_LENGTH = 40;

interface Stream {
  readonly node: string;
  readonly reader: PcapngReader;
  readonly interfaces: CapturedInterface[];
  packets: PcapngPacket[];
  /** All up to here has come. */
  knownNs: bigint;
  heardMs: number;
  ended: boolean;
}

export interface CapturedInterface {
  /** `node1:vxlan456 (inner)` */
  readonly name: string;
  readonly id: number;
  packets: number;
  /** By that node's kernel, for want of room. */
  dropped: number;
}

export class CaptureMerge {
  readonly #streams: readonly Stream[];
  readonly #interfaces: CapturedInterface[] = [];
  #out: Buffer[];
  #left: number;

  /** @param count after so many packets there is no more */
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

  get isFull(): boolean {
    return this.#left === 0;
  }

  /** @throws MESH_USAGE for what is not pcapng */
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

  end(stream: number): void {
    const of = this.#streams[stream];
    if (of !== undefined) of.ended = true;
  }

  /** What can be written now. */
  take(nowMs: number): Buffer {
    const awaited = this.#streams.filter(({ ended, heardMs }) => !ended && nowMs - heardMs < SILENCE_MS);
    const untilNs = awaited.reduce<bigint | undefined>(
      (least, { knownNs }) => (least === undefined || knownNs < least ? knownNs : least),
      undefined,
    );
    return this.#flush(untilNs);
  }

  /** The rest, and what every node has counted. */
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

  /** @param untilNs everything, when absent */
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
