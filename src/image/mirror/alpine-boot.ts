/** What machines with Alpine boot: kernel, initramfs and modloop of the current generation, and its repositories. */
import { MeshError } from '../../model/error.ts';
import { mirrorPublicKey } from '../mirror-key.ts';
import { AGENT_PACKAGE } from '../overlay/alpine-system.ts';
import type { MirrorBoot } from '../overlay/boot-catalogue.ts';
import type { Generation } from './generation.ts';
import { MirrorStore } from './mirror-store.ts';

/** The mirror as machines boot from it. */
export class AlpineBoots {
  readonly #stateDirectory: string;
  readonly #store: MirrorStore;
  /** The last generation that was read: one number is one generation for ever. */
  #known: MirrorBoot | undefined;

  /** @param stateDirectory host0's state directory (`Paths.state`) */
  constructor(stateDirectory: string) {
    this.#stateDirectory = stateDirectory;
    this.#store = new MirrorStore(stateDirectory);
  }

  /** Undefined while there is no generation. @throws MESH_BOOT_NO_IMAGE */
  async boot(): Promise<MirrorBoot | undefined> {
    const number = await this.#store.currentNumber();
    if (number === undefined) return undefined;
    if (this.#known?.generation === number) return this.#known;
    const generation = await this.#store.current();
    const key = await mirrorPublicKey(this.#stateDirectory);
    if (generation === undefined || key === undefined) return undefined;
    if (key.name !== generation.signedBy) {
      throw unfit(number, `it is signed with the key ${generation.signedBy}, and host0 has ${key.name}`, '--verify');
    }
    this.#known = { ...bootOf(generation), key };
    return this.#known;
  }
}

/** @throws MESH_BOOT_NO_IMAGE for a generation that no machine can boot from */
export function bootOf(generation: Generation): Omit<MirrorBoot, 'key'> {
  const { number, boot, packages, repositories } = generation;
  const name = (begin: string) => boot?.files.find((file) => file.name.startsWith(begin))?.name;
  const [kernel, initramfs, modloop] = [name('vmlinuz-'), name('initramfs-'), name('modloop-')];
  if (kernel === undefined || initramfs === undefined || modloop === undefined) {
    throw unfit(number, 'it has no kernel: mirror.conf names no `netboot`');
  }
  if (!packages.some((one) => one.name === AGENT_PACKAGE)) {
    throw unfit(number, 'it has no agent: it was made when no machine had the flavor alpine');
  }
  return { generation: number, kernel, initramfs, modloop, repositories };
}

function unfit(number: number, why: string, option = ''): MeshError {
  return new MeshError('MESH_BOOT_NO_IMAGE', `no machine can boot from generation ${number} of the mirror: ${why}`, {
    operation: 'boot machine',
    object: `${number}`,
    rule: 'Alpine boots from a generation with its kernel, initramfs and modloop, and with the agent.',
    remedy: `Run \`mesh system download${option === '' ? '' : ` ${option}`}\`, with \`netboot\` in mirror.conf.`,
  });
}
