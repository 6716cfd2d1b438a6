/**
 * The record of the plugged ports on disk, so that they are plugged again after a reboot. The file is a list behind its version
 * and checksum (sealed-document.ts):
 *
 *     [{"version": 1, …}, {"link": "tap0", "network": "mesh-456"}, {"link": "tap1", "network": "", "unpluggedFrom": "mesh-456"},
 *      {"link": "tap2", "network": "", "networkName": "blue"}]
 *
 * `tap1` is being taken off its bridge, which `foreignBridge` names where it is another program's; the network of `tap2` is one that host0 has not given this node yet. An older agent
 * knows neither field. To such an agent the port is a guest that belongs to no network: the port stays where it is, under the
 * rules for guests. The first entry is such a port to an older agent, too.
 */

import { StateFile, type StateForm } from '../../disk/state-file.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';
import { DeviceShape, NetworkIdShape } from '../../protocol/shapes/parts.ts';
import type { ForeignPort, PortRecord } from './foreign-ports.ts';

/** More ports than a machine has interfaces. */
const PORTS_MAX = 65_536;
const NO_NETWORK: form.Shape<''> = form.literal('');
const Port = form.object({
  link: DeviceShape,
  network: form.union([NetworkIdShape, NO_NETWORK]),
  unpluggedFrom: form.exactOptional(NetworkIdShape),
  networkName: form.exactOptional(form.string({ max: 64 })),
  foreignBridge: form.exactOptional(DeviceShape),
});
const Ports = form.listOf(Port, PORTS_MAX);

type PortList = form.TypeOf<typeof Ports>;

const PORTS_FILE: StateForm<PortList> = {
  version: 1,
  shape: Ports,
  skipped: { link: '-', network: '' },
  holds: 'the plugged ports',
  remedy: 'Plug the ports in again with `mesh port plug`.',
  comesBack: false,
};

/** The file `ports.json`. Read it once before the first write. */
export class PluggedPortsFile implements HealthSource {
  readonly #file: StateFile<PortList>;

  constructor(path: string) {
    this.#file = new StateFile(path, PORTS_FILE);
  }

  /** The record; empty when there is no file that can be used. Never rejects. */
  async read(): Promise<PortRecord> {
    return recordOf((await this.#file.read()) ?? []);
  }

  /**
   * Writes the record; resolves when it is durable.
   * @throws MESH_DISK_REFUSED, MESH_STATE_DAMAGED, MESH_STATE_LATER
   */
  async write({ plugged, unplugging, wished = [] }: PortRecord): Promise<void> {
    const leaving = unplugging.map(({ network, ...port }) => ({
      ...port,
      network: '' as const,
      unpluggedFrom: network,
    }));
    const waiting = wished.map(({ link, networkName }) => ({ link, network: '' as const, networkName }));
    await this.#file.write([...plugged, ...leaving, ...waiting]);
  }

  /** A finding while the file cannot be used, or while its ports are lost. */
  health(): readonly Finding[] {
    return this.#file.health();
  }
}

function recordOf(ports: PortList): PortRecord {
  const portOf = (link: string, network: NetworkId | '' | undefined): ForeignPort[] =>
    network === '' || network === undefined ? [] : [{ link, network }];
  const wished = ports.flatMap(({ link, networkName }) => (networkName === undefined ? [] : [{ link, networkName }]));
  return {
    plugged: ports.flatMap(({ link, network }) => portOf(link, network)),
    unplugging: ports.flatMap(({ link, network, unpluggedFrom, foreignBridge }) =>
      (network === '' ? portOf(link, unpluggedFrom) : []).map((port) => ({
        ...port,
        ...(foreignBridge !== undefined && { foreignBridge }),
      })),
    ),
    ...(wished.length > 0 && { wished }),
  };
}
