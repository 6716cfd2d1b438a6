/** What files of a distribution shall say: a card under a bridge that has the card's addresses. */
import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';

/** A card and its bridge, by their names after a restart of the machine. */
export interface BridgeWish {
  /** The name that the card has without the bridge. */
  readonly card: string;
  /** The name that the card has under the bridge: another one where the bridge takes the card's name. */
  readonly cardAfter: string;
  readonly bridge: string;
  readonly mac: Mac;
  /** Absent for the 1500 bytes of Ethernet. */
  readonly mtuBytes?: number;
}

/** One write of a file: each leaves files from which the machine starts with the old state or the new one, and with no third one. */
export interface FileStep {
  readonly path: string;
  /** Undefined: the file is removed. */
  readonly text?: string;
}

/** A file as it is. */
export interface FileText {
  readonly path: string;
  readonly text: string;
}

/** IFNAMSIZ without the closing NUL. */
export const LINK_NAME_MAX = 15;
const LINK_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/**
 * The name of a link, as files of a distribution take it without quotes.
 * @throws MESH_USAGE
 */
export function plainLinkName(name: string): string {
  if (name.length <= LINK_NAME_MAX && LINK_NAME.test(name)) return name;
  throw new MeshError('MESH_USAGE', `${JSON.stringify(name)} cannot be the name of a network device here`, {
    object: name,
    rule: `A name has at most ${LINK_NAME_MAX} letters, digits, dots, hyphens and underscores.`,
    remedy: 'Choose another name with --name, such as br0.',
  });
}

/** MESH_NIC_UNFIT: why the files that configure a card cannot be written anew. */
export function unfitFiles(path: string, why: string): MeshError {
  return new MeshError('MESH_NIC_UNFIT', `${path} ${why}`, {
    operation: 'write the configuration of the bridge',
    object: path,
    rule: 'Files are written only where their meaning stays the same beside the names of the card and the bridge.',
    remedy:
      'Write the bridge into the files by hand, or bridge the card until the next restart only, with `--tool none`.',
  });
}
