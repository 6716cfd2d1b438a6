/** The kernel settings of a link, `net.ipv4.conf.LINK.*` and `net.ipv6.conf.LINK.*`, given to another link. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { readSysctl, writeSysctl } from '../sysctl.ts';

const PROC_SYS = '/proc/sys';
/** These follow from the link, or are given by rtnetlink. */
const OWN = new Set(['mtu', 'addr_gen_mode', 'mc_forwarding', 'stable_secret']);

/**
 * Gives the link `to` the settings of the link `from`, in the namespace of the calling thread.
 * @returns the settings that it could not be given, with the kernel's words
 */
export function copySettings(from: string, to: string): MeshError[] {
  const refused: MeshError[] = [];
  for (const family of ['ipv4', 'ipv6']) {
    for (const name of settingsOf(family, from)) {
      if (OWN.has(name)) continue;
      const place = (link: string) => ['net', family, 'conf', link, name];
      try {
        const value = readSysctl(place(from));
        if (value !== readSysctl(place(to))) writeSysctl(place(to), value);
      } catch (thrown) {
        refused.push(MeshError.from(thrown));
      }
    }
  }
  return refused;
}

/** The names of the settings of a link; none where the link has none of the family. */
function settingsOf(family: string, link: string): readonly string[] {
  try {
    return readdirSync(join(PROC_SYS, 'net', family, 'conf', link));
  } catch {
    return [];
  }
}
