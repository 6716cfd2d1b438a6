/** The port commands of one machine: an administrator plugs interfaces into networks, takes them off again, and lists them. */
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { PortView } from '../../protocol/documents/views.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { isNameable } from '../desired/ruleset.ts';
import { linkKey } from '../items/link.ts';
import { portKey } from '../items/port.ts';
import type { Reconciler } from '../loop/reconciler.ts';
import type { ForeignPort, ForeignPorts } from './foreign-ports.ts';

interface PortCommandsInput {
  readonly ports: ForeignPorts;
  /** Writes the record of the ports to the disk. */
  readonly keepPorts: (ports: ForeignPorts) => Promise<void>;
  readonly journal: Journal;
  readonly reconciler: Reconciler;
  /** @throws MESH_NET_UNKNOWN */
  readonly networkCalled: (name: string) => Network;
}

/** A command writes down the wish and waits for the loop, so that a plan shows the step and a failure is tried again. */
export class PortCommands {
  readonly #input: PortCommandsInput;
  /** Commands that wait for the end of a pass. */
  readonly #waiting = new Set<() => void>();
  /** Revision of the ports that the disk has. */
  #kept: number;
  #keeping: Promise<void> = Promise.resolve();
  /** Whether the journal has been told that the disk refuses the record. */
  #told = false;

  constructor(input: PortCommandsInput) {
    this.#input = input;
    this.#kept = input.ports.revision;
    input.reconciler.passes.subscribe(() => this.#passed());
  }

  list(): PortView[] {
    const { ports, reconciler } = this.#input;
    return ports.wanted(reconciler.cache).map((port) => this.#view(port));
  }

  /** @throws MESH_PORT_UNKNOWN, MESH_PORT_TAKEN, MESH_NET_UNKNOWN */
  async plug(link: string, networkName: string): Promise<PortView> {
    const { ports, reconciler } = this.#input;
    const network = this.#input.networkCalled(networkName);
    const { cache } = reconciler;
    const device = cache.linkNamed(link);
    if (device === undefined) throw noInterface(link);
    if (!isNameable(link)) throw notNameable(link);
    const master = cache.links.get(device.master);
    if (master !== undefined && master.name !== network.devices.bridge) throw taken(link, master.name);
    const port = { link, network: network.id };
    ports.plug(port);
    await this.#keep();
    await reconciler.wake();
    return this.#view(port);
  }

  /**
   * Resolves when the kernel shows the port off its bridge.
   * @throws MESH_PORT_UNKNOWN
   * @throws MESH_KERNEL_REFUSED when the kernel refuses it again and again; the loop goes on trying
   */
  async unplug(link: string): Promise<void> {
    const { ports, reconciler } = this.#input;
    if (!ports.unplug(link)) throw notPlugged(link);
    await this.#keep();
    await reconciler.wake();
    for (let from = ports.unpluggedFrom(link); from !== undefined; from = ports.unpluggedFrom(link)) {
      const error = reconciler.failureOf(portKey(link)) ?? reconciler.failureOf(linkKey('bridge', from));
      if (error !== undefined) throw notTakenOff(link, error);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    await this.#keep();
  }

  /** The pass may have taken ports off. */
  #passed(): void {
    if (this.#input.ports.revision !== this.#kept) void this.#keepLater();
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** Never rejects: the next pass tries again. */
  async #keepLater(): Promise<void> {
    try {
      await this.#keep();
      this.#told = false;
    } catch (error) {
      if (!this.#told) this.#input.journal.failure('ports not kept', error);
      this.#told = true;
    }
  }

  /** Brings the disk up to the ports, unless it is. One write at a time, so that the last one has the last word. */
  #keep(): Promise<void> {
    const { ports, keepPorts } = this.#input;
    this.#keeping = this.#keeping
      .catch(() => undefined)
      .then(async () => {
        const { revision } = ports;
        if (revision === this.#kept) return;
        await keepPorts(ports);
        this.#kept = revision;
      });
    return this.#keeping;
  }

  #view({ link, network }: ForeignPort): PortView {
    const state = this.#input.reconciler.isReady(portKey(link)) ? 'plugged' : 'wanted';
    return { interface: link, network, state };
  }
}

function noInterface(link: string): MeshError {
  return new MeshError('MESH_PORT_UNKNOWN', `there is no interface ${JSON.stringify(link)} here`, {
    object: link,
    remedy: 'See `ip link` for the interfaces of this machine.',
  });
}

function notNameable(link: string): MeshError {
  return new MeshError('MESH_USAGE', `${JSON.stringify(link)} is not a name that rules can be written for`, {
    object: link,
    rule: 'The name of a port has letters, digits and . _ @ + - only.',
    remedy: `Give it another name: \`ip link set dev ${link} name NAME\`.`,
  });
}

function taken(link: string, bridge: string): MeshError {
  return new MeshError('MESH_PORT_TAKEN', `${link} is a port of ${bridge} already`, {
    object: link,
    remedy: `Take it off first: \`ip link set ${link} nomaster\`.`,
  });
}

function notPlugged(link: string): MeshError {
  return new MeshError('MESH_PORT_UNKNOWN', `${link} is not plugged into any network`, {
    object: link,
    remedy: 'See `mesh port list`.',
  });
}

function notTakenOff(link: string, cause: MeshError): MeshError {
  return new MeshError(cause.code, `${link} is still on its bridge: ${cause.message}`, {
    object: link,
    remedy: `It is tried again until it is done, as \`mesh plan\` shows; \`mesh port plug NETWORK ${link}\` calls it off.`,
    cause,
    retryable: true,
  });
}
