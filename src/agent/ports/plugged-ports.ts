/**
 * The record of the plugged ports on disk, so that they are plugged again after a reboot. The file is a list:
 *
 *     [{"link": "tap0", "network": "mesh-456"}, {"link": "tap1", "network": "", "unpluggedFrom": "mesh-456"}]
 *
 * The second entry is a port that is being taken off its bridge. An older agent does not know `unpluggedFrom`. To such
 * an agent the port is a guest that belongs to no network: the port stays where it is, under the rules for guests.
 */

import { textAt, writeDurable } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';
import type { NetworkId } from '../../model/network/network.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
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
});
const Ports = form.listOf(Port, PORTS_MAX);

/** The record of a machine where no port was plugged. */
export const NO_PORTS: PortRecord = { plugged: [], unplugging: [] };

/**
 * Reads the file; a missing file is an empty record.
 * @throws MESH_STATE_DAMAGED when the file is not such a list
 */
export async function readPlugged(path: string): Promise<PortRecord> {
  const text = await textAt(path);
  if (text === undefined) return NO_PORTS;
  const { document, fault } = readDocument(Ports, text);
  if (fault === undefined) return recordOf(document);
  throw new MeshError('MESH_STATE_DAMAGED', `${path} does not hold the plugged ports: the file ${fault}`, {
    object: path,
    remedy: 'Plug the ports in again with `mesh port plug`, which writes the file anew.',
  });
}

/**
 * Writes the file; resolves when it is durable.
 * @throws MESH_DISK_REFUSED
 */
export async function writePlugged(path: string, { plugged, unplugging }: PortRecord): Promise<void> {
  const leaving = unplugging.map(({ link, network }) => ({ link, network: '', unpluggedFrom: network }));
  await writeDurable(path, `${JSON.stringify([...plugged, ...leaving])}\n`);
}

function recordOf(ports: form.TypeOf<typeof Ports>): PortRecord {
  const portOf = (link: string, network: NetworkId | '' | undefined): ForeignPort[] =>
    network === '' || network === undefined ? [] : [{ link, network }];
  return {
    plugged: ports.flatMap(({ link, network }) => portOf(link, network)),
    unplugging: ports.flatMap(({ link, network, unpluggedFrom }) =>
      network === '' ? portOf(link, unpluggedFrom) : [],
    ),
  };
}
