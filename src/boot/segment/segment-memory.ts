/**
 * The other DHCP servers that host0 knows on each segment, kept over restarts (`<state>/boot/servers.json`): a host0 that has
 * just started must not take the place of a server that is slow, or has no address left to offer.
 */
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { writeDurable } from '../../disk/durable-file.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { DeviceShape, Ipv4CidrShape, Ipv4Shape, MacShape } from '../../protocol/shapes/parts.ts';
import type { HeardServer } from '../frames/observation.ts';
import { type ModeState, OTHERS_MAX } from './boot-mode.ts';

/** A server on the segment of a NIC, as an entry of servers.json: the keys are those on disk. */
interface KnownServer {
  /** The NIC that heard the server. */
  readonly port: string;
  readonly server: Ipv4;
  readonly mac: Mac;
  readonly gives: 'addresses' | 'boot files';
  readonly subnet?: Ipv4Cidr;
}

const SERVERS_MAX = 64 * OTHERS_MAX;
const ServerShape: form.Shape<KnownServer> = form.looseObject({
  port: DeviceShape,
  server: Ipv4Shape,
  mac: MacShape,
  gives: form.oneOf(['addresses', 'boot files']),
  subnet: form.exactOptional(Ipv4CidrShape),
});
/** An entry that is spoilt is left out. */
const Servers = form.listOf(form.otherwise(ServerShape, undefined), SERVERS_MAX);

/** The servers that were known when host0 ran last, and those that are known now. */
export class SegmentMemory {
  readonly #file: string;
  #servers: readonly KnownServer[];
  #written: Promise<void> = Promise.resolve();

  private constructor(file: string, servers: readonly KnownServer[]) {
    this.#file = file;
    this.#servers = servers;
  }

  /** Reads the file. One that cannot be read counts as empty. */
  static async open(file: string): Promise<SegmentMemory> {
    const text = await readFile(file, 'utf8').catch(() => '[]');
    const servers = readDocument(Servers, text).document?.flatMap((server) => server ?? []) ?? [];
    return new SegmentMemory(file, servers);
  }

  /** The servers that were known on a segment with one of these NICs. */
  serversOn(nics: readonly string[]): HeardServer[] {
    return this.#servers.filter(({ port }) => nics.includes(port)).map(({ port, ...server }) => server);
  }

  /** Takes over what a watch knows. One that has just begun to listen, and knows no server yet, does not erase the others. */
  note(device: string, { foreign, settled }: ModeState): void {
    const now = [...foreign.values()].map(({ intruded, lastMs, ...heard }) => ({ port: device, ...heard }));
    if (now.length === 0 && !settled) return;
    const others = this.#servers.filter(({ port }) => port !== device);
    const servers = [...others, ...now].slice(-SERVERS_MAX);
    if (isDeepStrictEqual(servers, this.#servers)) return;
    this.#servers = servers;
    const text = `${JSON.stringify(servers, undefined, 2)}\n`;
    // A disk that refuses costs only the memory: the next change tries again.
    this.#written = this.#written.then(() => writeDurable(this.#file, text)).catch(() => {});
  }

  /** Resolves when all changes so far are on disk, or were refused. */
  saved(): Promise<void> {
    return this.#written;
  }
}
