/** What each machine is to install: the words that its overlay has in `/etc/apk/world`, and what Alpine adds to them. */
import { packageWords } from '../../formats/host0/package-word.ts';
import type { CompiledMachine } from '../overlay/compilation.ts';
import type { World } from './download.ts';

const WORLD = 'etc/apk/world';
/** Alpine's initramfs adds these to the words of every overlay; openssl where modloop's signature is checked. */
const OF_EVERY_MACHINE = ['alpine-base'];
const OF_NETBOOT = ['openssl'];

/** The words of one machine, sorted, with those that every machine has. */
export function machineWords({ packages, overlay }: CompiledMachine, netboot: boolean): readonly string[] {
  const file = overlay?.entries.find(({ path }) => path === WORLD);
  const text = file?.type === 'file' ? Buffer.from(file.content).toString('utf8') : packages.join('\n');
  const own = text.split('\n').flatMap((line) => packageWords(line).map(({ word }) => word));
  return [...new Set([...OF_EVERY_MACHINE, ...(netboot ? OF_NETBOOT : []), ...own])];
}

/**
 * The worlds of all machines, those with the same words together. The lists of a machine with the flavor debian name other packages. Each package of `/host0/packages` is a world of its own: two of
 * them need not go together.
 */
export function machineWorlds(
  machines: readonly CompiledMachine[],
  packages: readonly string[],
  netboot: boolean,
): readonly World[] {
  const worlds = new Map<string, { machines: string[]; words: readonly string[] }>();
  const add = (name: string, words: readonly string[]) => {
    const key = words.join('\n');
    const known = worlds.get(key);
    if (known === undefined) worlds.set(key, { machines: [name], words });
    else known.machines.push(name);
  };
  for (const machine of machines) {
    if (machine.overlay !== undefined && machine.flavor !== 'debian') add(machine.name, machineWords(machine, netboot));
  }
  const common = [...OF_EVERY_MACHINE, ...(netboot ? OF_NETBOOT : [])];
  for (const word of packages) add('/host0/packages', [...new Set([...common, word])]);
  return [...worlds.values()];
}
