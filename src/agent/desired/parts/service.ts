/** A service of the node: one process with its files. What a network serves, such as DHCP, is made of these. */
import type { NetworkId } from '../../../model/network/number.ts';
import { contentDigest, type ProcessSpec } from '../../../services/process/process-spec.ts';
import { type FileItem, fileKey } from '../../items/file.ts';
import type { ItemKey } from '../../items/item-kind.ts';
import { processItem } from '../../items/process.ts';
import type { Part } from '../part.ts';

/** A file of a service. */
export interface ServiceFile {
  readonly path: string;
  readonly content: string;
  /** Permissions, such as 0o640. Some programs read files as a user of their own. */
  readonly mode: number;
  /** When the process reads the file. `start`: another content needs another process. `signal`: it reads it again on a signal. */
  readonly read: 'start' | 'signal';
}

/** A process with its files. */
export interface NodeService {
  /** The network that it serves. Absent: the node. */
  readonly network?: NetworkId;
  /** How the process runs. What it reads follows from the files. */
  readonly process: Omit<ProcessSpec, 'reads' | 'rereads'>;
  /** The signal for files that are read again. */
  readonly signal?: NodeJS.Signals;
  readonly files: readonly ServiceFile[];
  /** Further items that must be in place before the process starts, such as the link that it serves. */
  readonly needs?: readonly ItemKey[];
}

/** The items of a service. The part is built again when the service is another object. */
export function servicePart(service: NodeService): Part {
  return { key: `service ${service.process.name}`, inputs: [service], build: () => ({ items: serviceItems(service) }) };
}

function serviceItems({ network, process, files, signal = 'SIGHUP', needs = [] }: NodeService) {
  const owner = network === undefined ? {} : { network };
  const items = files.map(({ path, content, mode }): FileItem => ({ kind: 'file', ...owner, path, content, mode }));
  const readBy = (when: ServiceFile['read']) => files.filter(({ read }) => read === when).map(({ content }) => content);
  const again = readBy('signal');
  const spec: ProcessSpec = {
    ...process,
    reads: readBy('start').map(contentDigest),
    ...(again.length > 0 && { rereads: { signal, digest: contentDigest(again.map(contentDigest).join()) } }),
  };
  return [...items, processItem(spec, [...items.map(({ path }) => fileKey(path)), ...needs], network)];
}
