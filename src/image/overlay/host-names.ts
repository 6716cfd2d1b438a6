/**
 * The host names that overlays give to machines. host0 and people command a machine by its name, so a name must be fit for a
 * member list, and each machine has one of its own. Upper and lower case are the same.
 */
import { MeshError, type MeshErrorInit } from '../../model/error.ts';
import { NODE_NAME, nearestNodeName } from '../../protocol/documents/membership.ts';
import type { Overlay } from './overlay.ts';

const PATH = 'etc/hostname';
const RULE = 'A host name has at most 63 letters, digits, dots and hyphens, and begins with a letter or digit.';
const TAKEN: ReadonlySet<string> = new Set(['host0', 'localhost']);

/** Checks the names of all machines, one after the other. */
export class HostNames {
  /** The folder of the machine that has a name, by the name in lower case. */
  readonly #owners = new Map<string, string>();

  /**
   * Why the machine of a folder cannot have the name in its overlay; undefined when it can. An overlay for machines without a
   * folder gives one name to many: host0 numbers these.
   * @param path the folder's path, for errors
   */
  faultOf(
    overlay: Overlay,
    folder: { readonly machine: string; readonly name: string },
    path: string,
  ): MeshError | undefined {
    const entry = overlay.get(PATH);
    if (entry?.type !== 'file') return undefined;
    const origin = overlay.originOf(PATH);
    const place = origin?.targetPlace;
    const source = origin !== undefined && 'source' in origin ? origin.source : undefined;
    const fault = (message: string, init: Pick<MeshErrorInit, 'rule' | 'remedy'>) =>
      new MeshError('MESH_NODE_NAME', message, { ...init, ...(place === undefined ? { object: path } : { place }) });
    const text = Buffer.from(entry.content).toString('utf8');
    const lines = text.split('\n').filter((line) => !/^\s*(?:#|$)/.test(line));
    // OpenRC and busybox leave out blanks around the name, and keep a carriage return.
    const name = lines[0]?.replace(/^[ \t]+|[ \t]+$/g, '') ?? '';
    if (lines.length !== 1 || !NODE_NAME.test(name)) {
      const what = lines.length > 1 ? `${lines.length} lines` : JSON.stringify(name.slice(0, 70));
      const better = nearestNodeName(name) ?? folder.name;
      const remedy = `Put the line ${better} into ${source ?? path}${name.endsWith('\r') ? ', with a line end of Unix' : ''}.`;
      return fault(`/${PATH} has no host name: ${what}`, { rule: RULE, remedy });
    }
    const lower = name.toLowerCase();
    const owner = this.#owners.get(lower);
    const remedy = source === undefined ? 'Rename the folder.' : `Put another name into ${source}.`;
    if (TAKEN.has(lower))
      return fault(`${name} cannot be the host name of a machine`, {
        rule: 'host0 is the central node, and localhost every machine itself.',
        remedy,
      });
    if (folder.machine !== 'default' && owner !== undefined) {
      const rule = 'Each machine has a host name of its own; upper and lower case are the same.';
      return fault(`${name} is the host name of two machines: ${owner} and ${folder.name}`, { rule, remedy });
    }
    if (folder.machine !== 'default') this.#owners.set(lower, folder.name);
    return undefined;
  }
}
