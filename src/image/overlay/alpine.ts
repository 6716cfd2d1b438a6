/** What Alpine needs in an overlay: the OpenRC runlevels, which services it starts; and the world, which packages it installs. */

import type { ManifestAction } from '../../formats/host0/manifest.ts';
import { packageFault, packageWords } from '../../formats/host0/package-word.ts';
import { MeshError } from '../../model/error.ts';
import type { PublicKeyFile } from '../mirror-key.ts';
import type { Overlay, ReadSource } from './overlay.ts';

/** The packages to install, one a line. apk takes every word in it, those of a comment too. */
const WORLD = 'etc/apk/world';

/** Services of each runlevel: those that Alpine's initramfs chooses without an overlay (mkinitfs, initramfs-init), and the agent. */
const RUNLEVELS: Readonly<Record<string, readonly string[]>> = {
  sysinit: ['devfs', 'dmesg', 'mdev', 'hwdrivers', 'modloop'],
  boot: ['modules', 'sysctl', 'hostname', 'bootmisc', 'syslog'],
  default: ['local', 'meshwork-agent'],
  shutdown: ['mount-ro', 'killprocs', 'savecache'],
};

/** Adds a link `/etc/runlevels/LEVEL/SERVICE` for each service, unless a manifest has put something at that path. */
export function addRunlevels(overlay: Overlay): void {
  for (const [level, services] of Object.entries(RUNLEVELS)) {
    for (const service of services) addService(overlay, level, service);
  }
}

function addService(overlay: Overlay, level: string, service: string): void {
  const path = `etc/runlevels/${level}/${service}`;
  if (!overlay.has(path)) overlay.putLink(path, `/etc/init.d/${service}`);
}

/**
 * Adds packages to `/etc/apk/world`, which manifests may have begun: one word a line, sorted, without comments. Words that apk
 * could not parse are left out; worldFaults tells them.
 */
export function completeWorld(overlay: Overlay, packages: readonly string[]): void {
  const words = [...new Set([...worldWords(overlay), ...packages])].sort();
  if (words.length > 0 || overlay.has(WORLD)) overlay.rewrite(WORLD, words.map((word) => `${word}\n`).join(''));
}

/** The words that manifests have put into `/etc/apk/world`, as far as apk could parse them. */
export function worldWords(overlay: Overlay): readonly string[] {
  const entry = overlay.get(WORLD);
  const lines = entry?.type === 'file' ? textOf(entry.content).split('\n') : [];
  return lines.flatMap(packageWords).flatMap(({ word }) => (packageFault(word) === undefined ? [word] : []));
}

/** Lets apk trust host0's mirror. Alpine's initramfs adds its own keys to those of the overlay before it installs anything. */
export function addMirrorKey(overlay: Overlay, { name, pem }: PublicKeyFile): void {
  const path = `etc/apk/keys/${name}`;
  if (!overlay.has(path)) overlay.putFile(path, pem);
}

/** An error for each word that lines of manifests put into `/etc/apk/world`, and that apk could not parse. */
export function worldFaults(actions: readonly ManifestAction[], read: ReadSource): MeshError[] {
  return actions.flatMap((action) => {
    if (action.target !== `/${WORLD}` || !('source' in action)) return [];
    const content = read(action.source);
    return content instanceof Uint8Array ? listFaults(action.source, textOf(content)) : [];
  });
}

function listFaults(file: string, list: string): MeshError[] {
  return list.split('\n').flatMap((line, index) =>
    packageWords(line).flatMap(({ word, column }) => {
      const { message, ...fault } = packageFault(word) ?? {};
      if (message === undefined) return [];
      return new MeshError('MESH_MACHINE_FOLDER', message, {
        ...fault,
        place: { file, line: index + 1, column, text: line },
      });
    }),
  );
}

function textOf(content: Uint8Array): string {
  return Buffer.from(content).toString('utf8');
}
