/** The refused networks: a foreign device has their name, VNI or subnet, so they cannot be created on this node. */
import { MeshError } from '../../model/error.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Obstacle } from './observed.ts';

/** Keeps the refused networks with their errors, and writes each new one to the journal. */
export class Obstruction {
  readonly #journal: Journal;
  #errors = new Map<NetworkId, MeshError>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  errorOf(network: NetworkId): MeshError | undefined {
    return this.#errors.get(network);
  }

  get refused(): ReadonlySet<NetworkId> {
    return new Set(this.#errors.keys());
  }

  /** Replaces the obstacles by those found in this pass. @returns the refused networks, which the agent leaves alone */
  update(obstacles: readonly Obstacle[]): ReadonlySet<NetworkId> {
    const errors = new Map(obstacles.map((obstacle) => [obstacle.network, errorOf(obstacle)]));
    for (const [network, error] of errors) {
      if (this.#errors.has(network)) continue;
      this.#journal.failure('network refused', error, { level: 'error', network });
    }
    this.#errors = errors;
    return this.refused;
  }
}

function errorOf({ device, reason, network }: Obstacle): MeshError {
  if (reason === 'subnet') {
    // libvirt's words, which its users look for.
    return new MeshError('MESH_NET_SUBNET_IN_USE', `Network is already in use by interface ${device}`, {
      object: network,
      rule: 'A machine has one way to each address.',
      remedy: `Give the network another subnet, or take the address in it off ${device}`,
    });
  }
  const remedy = `Remove it (\`ip link del ${device}\`) or give it another ${reason === 'name' ? 'name' : 'VNI'}; Meshwork does not touch it.`;
  if (reason === 'name') {
    const message = `a device named ${device} exists and is not Meshwork's`;
    return new MeshError('MESH_KERNEL_FOREIGN_DEVICE', message, { object: network, remedy });
  }
  const message = `the device ${device}, which is not Meshwork's, has this network's VNI`;
  return new MeshError('MESH_KERNEL_VNI_BUSY', message, { object: network, remedy });
}
