/**
 * The areas of a machine that a backup of host0 has, and a restore replaces: a few names in a few directories. All else in these
 * directories belongs to this machine, or is made again, and stays as it is.
 */
import { join } from 'node:path';
import type { Paths } from '../../protocol/documents/paths.ts';

/** One area. */
export interface Area {
  /** The beginning of its paths in the archive. */
  readonly name: string;
  /** Where its files are. */
  readonly directory: string;
  /** Whether a name in the directory is of the area. */
  readonly owns: (name: string) => boolean;
}

/** What is backed up only if it was asked for. */
export interface Extras {
  /** The packages of the mirror. */
  readonly mirror: boolean;
  /** `/host0/isos`. */
  readonly isos: boolean;
}

/** Where files are put together, and old ones go, in the directory of an area. It is of no backup. */
export const STAGE = '.meshwork-restore';
const ISOS = 'isos';
/** Never of a backup: what file systems and this program have for themselves. */
const HIDDEN: readonly string[] = [STAGE, 'lost+found'];
/** host0's state that is made nowhere else. The store comes as a document of its own, and with it a new epoch. */
const STATE: readonly string[] = ['keys', 'overlays', 'ports.json', 'networks.accepted.json'];
/** The secret that a host0 had before it took the one of others. */
const REPLACED = /^installation-replaced-[0-9a-f]{8}$/;
/** The highest dates of indexes that the mirror has seen: an older index is refused. */
const SEEN = 'seen.json';
const MIRROR: readonly string[] = ['pool', 'generations'];
/** The id of this machine, and its key as a node: another machine has others. */
const OF_MACHINE: readonly string[] = ['machine', 'key'];

/** All areas of a machine. */
export function areasOf(
  { root, host0, state }: Pick<Paths, 'root' | 'host0' | 'state'>,
  extras: Extras,
): readonly Area[] {
  const among = (names: readonly string[]) => (name: string) => names.includes(name);
  const etc = join(root, 'etc');
  return [
    {
      name: 'host0',
      directory: host0,
      owns: (name) => !HIDDEN.includes(name) && (extras.isos || name !== ISOS),
    },
    { name: 'state', directory: state, owns: (name) => STATE.includes(name) || REPLACED.test(name) },
    {
      name: 'mirror',
      directory: join(state, 'mirror'),
      owns: among(extras.mirror ? [SEEN, ...MIRROR] : [SEEN]),
    },
    {
      name: 'meshwork',
      directory: join(etc, 'meshwork'),
      owns: (name) => !HIDDEN.includes(name) && !OF_MACHINE.includes(name),
    },
    { name: 'pxen', directory: join(etc, 'pxen'), owns: among(['host0.conf']) },
    { name: 'default', directory: join(etc, 'default'), owns: among(['meshwork']) },
    { name: 'conf.d', directory: join(etc, 'conf.d'), owns: among(['meshwork-host0', 'meshwork-agent']) },
  ];
}

/** Directories that a backup leaves out, with what they are called, for the one who asks what is missing. */
export function leftOutOf(
  { host0, state }: Pick<Paths, 'host0' | 'state'>,
  extras: Extras,
): readonly { readonly what: string; readonly path: string }[] {
  return [
    { what: 'images of machines (`mesh system image node` builds them again)', path: join(state, 'images') },
    ...(extras.mirror
      ? []
      : [{ what: 'packages of the mirror (`--with-mirror` takes them along)', path: join(state, 'mirror/pool') }]),
    ...(extras.isos ? [] : [{ what: 'isos (`--with-isos` takes them along)', path: join(host0, ISOS) }]),
  ];
}
