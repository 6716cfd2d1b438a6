/**
 * The ports that programs of libvirt have made, by their networks. They are kept in a file that lasts until the machine is booted, as
 * libvirt does: the guests on them run on while host0 is started anew.
 */
import { StateFile, type StateForm, textOnDisk } from '../../disk/state-file.ts';
import { type PortDocument, PortDocumentShape } from '../../formats/xml/port-xml.ts';
import { Misfit } from '../../model/form.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
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
/** The documents name guests, which are nobody else's business. */
const PERMISSIONS = 0o600;

const KeptPortShape = form.object({ network: form.string({ max: UUID_LENGTH }), port: PortDocumentShape });

/** A port that does not fit costs no other one. */
const PORTS_FORM: StateForm<{ readonly ports: readonly (KeptPort | undefined)[] }> = {
  version: 1,
  shape: form.looseObject({ ports: form.listOf(form.otherwise(KeptPortShape, undefined), PORTS_MAX) }),
  holds: 'the ports of libvirt networks',
  remedy: "Start the daemons of guests anew (`systemctl restart virtqemud`): they make their guests' ports again.",
  comesBack: true,
};

type KeptPorts = ReadonlyMap<string, KeptPort>;

/** Keeps the ports of all networks. */
export class PortDocuments implements HealthSource {
  readonly #file: StateFile<{ readonly ports: readonly (KeptPort | undefined)[] }>;
  #ports: KeptPorts = new Map();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string) {
    this.#file = new StateFile(textOnDisk(path, PERMISSIONS), PORTS_FORM);
  }

  /** Reads the file. What cannot be read counts as no ports, and is a finding. */
  static async open(path: string): Promise<PortDocuments> {
    const documents = new PortDocuments(path);
    const { ports = [] } = (await documents.#file.read()) ?? {};
    documents.#ports = new Map(ports.flatMap((kept) => (kept === undefined ? [] : [[kept.port.uuid, kept]])));
    return documents;
  }

  health(): readonly Finding[] {
    return this.#file.health();
  }

  /** The ports of a network. */
  in(network: string): readonly KeptPort[] {
    return [...this.#ports.values()].filter((kept) => kept.network === network);
  }

  /** How many ports of a network are on a card. */
  on(network: string, card: string): number {
    return this.in(network).filter(({ port: { plug } }) => plug?.type === 'direct' && plug.dev === card).length;
  }

  /** @throws VirError 107 */
  find(network: string, uuid: string): KeptPort {
    const kept = this.#ports.get(uuid);
    if (kept?.network !== network) throw noPort(uuid);
    return kept;
  }

  /**
   * Adds a port.
   * @param plugged what the port is plugged into, by the ports that are there then
   * @throws VirError 27; 106 where a port has the UUID; and what `plugged` throws
   */
  async add(network: string, { uuid }: Pick<PortDocument, 'uuid'>, plugged: () => PortDocument): Promise<void> {
    await this.#change((ports) => {
      if (ports.has(uuid)) {
        // libvirt says it twice, too.
        const message = `network port Network port with UUID ${uuid} already exists exists already`;
        throw new VirError(CODE.portExists, message);
      }
      if (ports.size >= PORTS_MAX) throw VirError.of(CODE.operationFailed, `${PORTS_MAX} ports are there`);
      return new Map([...ports, [uuid, fitting({ network, port: plugged() })]]);
    });
  }

  /** Keeps a port, in place of the one of its UUID. @throws VirError 27 */
  async replace(kept: KeptPort): Promise<void> {
    const whole = fitting(kept);
    await this.#change((ports) => new Map([...ports, [kept.port.uuid, whole]]));
  }

  /** @throws VirError 107 */
  async delete(network: string, uuid: string): Promise<void> {
    const { port } = this.find(network, uuid);
    await this.#change((ports) => new Map([...ports].filter(([known]) => known !== port.uuid)));
  }

  /** The network was stopped: its ports are gone. */
  async dropAll(network: string): Promise<void> {
    await this.#change((ports) => {
      const others = [...ports].filter(([, kept]) => kept.network !== network);
      return others.length === ports.size ? ports : new Map(others);
    });
  }

  /** Makes other ports of those that are there. They are in force when they are on the disk: a change that failed was none. */
  #change(make: (ports: KeptPorts) => KeptPorts): Promise<void> {
    const run = async () => {
      const next = make(this.#ports);
      if (next === this.#ports) return;
      await this.#file.write({ ports: [...next.values()] });
      this.#ports = next;
    };
    const done = this.#last.then(run, run);
    this.#last = done;
    return done;
  }
}

/** The port as it can be read again. @throws VirError 27 */
function fitting(kept: KeptPort): KeptPort {
  try {
    return KeptPortShape.read(kept);
  } catch (misfit) {
    if (!(misfit instanceof Misfit)) throw misfit;
    throw VirError.of(CODE.xml, `${misfit.path.map(String).join('.')} of the port is too long, or out of range`);
  }
}
