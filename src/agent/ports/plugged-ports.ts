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
import type { ForeignPort, PortRecord } from './foreign-ports.ts';

/**
 * Reads the file; a missing file is an empty record.
 * @throws MESH_STATE_DAMAGED when the file is not such a list
 */
export async function readPlugged(path: string): Promise<PortRecord> {
  const text = await textAt(path);
  if (text === undefined) return { plugged: [], unplugging: [] };
  try {
    return parse(text);
  } catch (cause) {
    throw new MeshError('MESH_STATE_DAMAGED', `${path} does not hold the plugged ports`, {
      cause,
      object: path,
      remedy: 'Remove it, and plug the ports in again with `mesh port plug`.',
    });
  }
}

/**
 * Writes the file; resolves when it is durable.
 * @throws MESH_DISK_REFUSED
 */
export async function writePlugged(path: string, { plugged, unplugging }: PortRecord): Promise<void> {
  const leaving = unplugging.map(({ link, network }) => ({ link, network: '', unpluggedFrom: network }));
  await writeDurable(path, `${JSON.stringify([...plugged, ...leaving])}\n`);
}

/** @throws TypeError or SyntaxError */
function parse(text: string): PortRecord {
  const document: unknown = JSON.parse(text);
  if (!Array.isArray(document) || !document.every(isPort)) throw new TypeError('not a list of ports');
  const left = document.map((port) => ({ link: port.link, network: unpluggedFrom(port) }));
  return { plugged: document.filter(({ network }) => network.length > 0), unplugging: left.filter(isPort) };
}

function unpluggedFrom(port: ForeignPort): unknown {
  return port.network.length > 0 ? undefined : Reflect.get(port, 'unpluggedFrom');
}

function isPort(value: unknown): value is ForeignPort {
  if (typeof value !== 'object' || value === null) return false;
  return typeof Reflect.get(value, 'link') === 'string' && typeof Reflect.get(value, 'network') === 'string';
}
