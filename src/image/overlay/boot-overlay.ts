/**
 * The overlay of one boot of Alpine: that of the machine, with what is known only when the machine boots: the address of host0 on
 * its segment, and the generation of the mirror that it begins with. Alpine's initramfs reads `/etc/apk/repositories` of the
 * overlay before it installs anything, and this file alone can give a repository a tag.
 */
import type { MachineId } from '../../model/machine.ts';
import type { PublicKeyFile } from '../mirror-key.ts';
import type { OverlayEntry } from './overlay.ts';

/** What a boot adds. */
export interface BootPlace {
  readonly machine: MachineId;
  /** host0's address on the machine's segment. */
  readonly host0: string;
  /** The number of the generation. */
  readonly generation: number;
  readonly repositories: readonly { readonly path: string; readonly tag?: string }[];
  /** The key that has signed their indexes. */
  readonly key: PublicKeyFile;
}

const OWNED = { uid: 0, gid: 0, permissions: 0o644 };
const HOSTS = '127.0.0.1 localhost localhost.localdomain\n::1 localhost localhost.localdomain\n';

/** The URL of a repository, as Alpine's initramfs and `/etc/apk/repositories` have it. */
export function repositoryUrl({ host0, generation }: Pick<BootPlace, 'host0' | 'generation'>, path: string): string {
  return `http://${host0}/alpine/${generation}/${path}`;
}

/** The entries of a boot. A manifest's own `/etc/apk/repositories` stays. @returns them sorted by path */
export function bootEntries(entries: readonly OverlayEntry[], place: BootPlace): readonly OverlayEntry[] {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const put = (path: string, text: string) =>
    byPath.set(path, { type: 'file', path, mode: OWNED, content: Buffer.from(text) });
  if (!byPath.has('etc/apk/repositories')) {
    const lines = place.repositories.map(
      ({ path, tag }) => `${tag === undefined ? '' : `@${tag} `}${repositoryUrl(place, path)}\n`,
    );
    put('etc/apk/repositories', lines.join(''));
  }
  // The default overlay has no name: its machines are called by their ids, until host0 knows them.
  if (!byPath.has('etc/hostname')) put('etc/hostname', `${place.machine}\n`);
  // The overlay may have been compiled before the first download made the key.
  const key = `etc/apk/keys/${place.key.name}`;
  if (!byPath.has(key)) put(key, place.key.pem);
  const hosts = textOf(byPath.get('etc/hosts')) ?? HOSTS;
  if (!namesHost0(hosts)) put('etc/hosts', `${hosts.replace(/(?<!\n)$/, '\n')}${place.host0} host0\n`);
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function textOf(entry: OverlayEntry | undefined): string | undefined {
  return entry?.type === 'file' ? Buffer.from(entry.content).toString('utf8') : undefined;
}

function namesHost0(hosts: string): boolean {
  const names = hosts.split('\n').flatMap((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1));
  return names.includes('host0');
}
