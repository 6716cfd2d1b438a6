/** The port commands of one machine: an administrator plugs interfaces into networks, takes them off again, and lists them. */
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { PortView } from '../../protocol/documents/views.ts';
import { isNameable } from '../desired/ruleset.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import type { Reconciler } from '../loop/reconciler.ts';
import type { ForeignPort, ForeignPorts } from './foreign-ports.ts';

export interface PortCommandsInput {
  readonly ports: ForeignPorts;
  /** Makes the plugged ports survive a reboot. */
  readonly keepPorts: (ports: ForeignPorts) => Promise<void>;
  readonly kernel: KernelPort;
  readonly reconciler: Reconciler;
  /** @throws MESH_NET_UNKNOWN */
  readonly networkCalled: (name: string) => Network;
}

export class PortCommands {
  readonly #input: PortCommandsInput;

  constructor(input: PortCommandsInput) {
    this.#input = input;
  }

  list(): PortView[] {
    const { ports, reconciler } = this.#input;
    return ports.wanted(reconciler.cache).map((port) => this.#view(port));
  }

  /** @throws MESH_PORT_UNKNOWN, MESH_PORT_TAKEN, MESH_NET_UNKNOWN */
  async plug(link: string, networkName: string): Promise<PortView> {
    const { ports, keepPorts, reconciler } = this.#input;
    const network = this.#input.networkCalled(networkName);
    const { cache } = reconciler;
    const device = cache.linkNamed(link);
    if (device === undefined) throw noInterface(link);
    if (!isNameable(link)) throw notNameable(link);
    const master = cache.links.get(device.master);
    if (master !== undefined && master.name !== network.devices.bridge) throw taken(link, master.name);
    const port = { link, network: network.id };
    ports.plug(port);
    await keepPorts(ports);
    await reconciler.wake();
    return this.#view(port);
  }

  /** @throws MESH_PORT_UNKNOWN */
  async unplug(link: string): Promise<void> {
    const { ports, keepPorts, kernel, reconciler } = this.#input;
    if (!ports.unplug(link)) throw notPlugged(link);
    await keepPorts(ports);
    await kernel.apply([{ do: 'link-set', link, change: { master: '' } }]);
    await reconciler.wake();
  }

  #view({ link, network }: ForeignPort): PortView {
    const state = this.#input.reconciler.isReady(`port:${link}`) ? 'plugged' : 'wanted';
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
