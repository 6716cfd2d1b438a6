/**
 * The ports that programs of libvirt have made, by their networks. They are kept in a file that lasts until the machine is booted, as
 * libvirt does: the guests on them run on while host0 is started anew.
 */
import { readFile } from 'node:fs/promises';
import { writeDurable } from '../../disk/durable-file.ts';
import { type PortDocument, PortDocumentShape } from '../../formats/xml/port-xml.ts';
import { readJson } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { VIR_CODE as CODE, VirError } from '../rpc/vir-error.ts';
import { noPort } from './refusals.ts';

/** A port as it is kept. */
export interface KeptPort {
  /** The UUID of its network. */
  readonly network: string;
  readonly port: PortDocument;
}

/** As many as one answer to a client may have. */
const PORTS_MAX = 16_384;
const UUID_LENGTH = 36;
/** A port has some 500 bytes. */
const TEXT_MAX_LENGTH = 64 * 1024 * 1024;
/** The documents name guests, which are nobody else's business. */
const PERMISSIONS = 0o600;

const KeptPortsShape = form.object({
  format: form.literal(1),
  ports: form.listOf(form.object({ network: form.string({ max: UUID_LENGTH }), port: PortDocumentShape }), PORTS_MAX),
});

/** Keeps the ports of all networks. */
export class PortDocuments {
  readonly #path: string;
  readonly #ports: Map<string, KeptPort>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, ports: readonly KeptPort[]) {
    this.#path = path;
    this.#ports = new Map(ports.map((kept) => [kept.port.uuid, kept]));
  }

  /** Reads the file. What cannot be read counts as no ports: the daemons of guests make them again, with `reclaim`. */
  static async open(path: string): Promise<PortDocuments> {
    const text = await readFile(path, 'utf8').catch(() => '');
    try {
      return new PortDocuments(path, KeptPortsShape.read(readJson(text, TEXT_MAX_LENGTH).document).ports);
    } catch {
      return new PortDocuments(path, []);
    }
  }

  /** The ports of a network. */
  in(network: string): readonly KeptPort[] {
    return [...this.#ports.values()].filter((kept) => kept.network === network);
  }

  /** @throws VirError 107 */
  find(network: string, uuid: string): KeptPort {
    const kept = this.#ports.get(uuid);
    if (kept?.network !== network) throw noPort(uuid);
    return kept;
  }

  /** @throws VirError 106 where a port has the UUID */
  async add(kept: KeptPort): Promise<void> {
    const { uuid } = kept.port;
    if (this.#ports.has(uuid)) {
      // libvirt says it twice, too.
      const message = `network port Network port with UUID ${uuid} already exists exists already`;
      throw new VirError(CODE.portExists, message);
    }
    if (this.#ports.size >= PORTS_MAX) throw VirError.of(CODE.operationFailed, `${PORTS_MAX} ports are there`);
    await this.replace(kept);
  }

  /** Keeps a port, in place of the one of its UUID. */
  async replace(kept: KeptPort): Promise<void> {
    this.#ports.set(kept.port.uuid, kept);
    await this.#keep();
  }

  async delete(network: string, uuid: string): Promise<void> {
    this.#ports.delete(this.find(network, uuid).port.uuid);
    await this.#keep();
  }

  /** The network was stopped: its ports are gone. */
  async dropAll(network: string): Promise<void> {
    const ports = this.in(network);
    if (ports.length === 0) return;
    for (const { port } of ports) this.#ports.delete(port.uuid);
    await this.#keep();
  }

  #keep(): Promise<void> {
    const write = () => {
      const text = JSON.stringify({ format: 1, ports: [...this.#ports.values()] });
      return writeDurable(this.#path, text, PERMISSIONS);
    };
    const written = this.#last.then(write, write);
    this.#last = written;
    return written;
  }
}
