/** What machines can boot from host0 now: the image of nodes or Alpine from the mirror, and the overlay of each machine. */
import type { Flavor } from '../../formats/host0/flavor.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { PublicKeyFile } from '../mirror-key.ts';
import { bootEntries } from './boot-overlay.ts';
import type { OverlayEntry } from './overlay.ts';
import type { OverlayStore, Refusal } from './overlay-store.ts';

/** Where the catalogue asks for the image that machines boot; Generations is one such source. */
export interface CurrentImage {
  /** Undefined while host0 has no image. */
  current(): Promise<{ readonly generation: string; readonly kernelArguments: readonly string[] } | undefined>;
}

/** A generation of the mirror from which machines with Alpine boot; mirror/alpine-boot.ts makes it. */
export interface MirrorBoot {
  readonly generation: number;
  readonly repositories: readonly { readonly path: string; readonly tag?: string }[];
  /** Names of files in the directory `boot` of the generation. */
  readonly kernel: string;
  readonly initramfs: string;
  readonly modloop: string;
  readonly key: PublicKeyFile;
}

/** Where the catalogue asks for Alpine. */
export interface CurrentMirror {
  /** Undefined while nothing is published. @throws MESH_BOOT_NO_IMAGE if the current generation cannot boot a machine */
  boot(): Promise<MirrorBoot | undefined>;
}

/** What a machine boots, as the boot server tells it. */
export interface StoredImage {
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine?: string;
  readonly mirror?: {
    readonly generation: number;
    readonly repositories: MirrorBoot['repositories'];
    readonly modloop: string;
  };
}

/** How many overlays of boots are known by what they are made from. */
const REMEMBERED = 1000;

/** The images and overlays of host0's state directory. Reads the disk at each call, so that a new image or overlay is found at once. */
export class StoredBootCatalogue {
  readonly #images: CurrentImage;
  readonly #mirror: CurrentMirror;
  readonly #overlayStore: OverlayStore;
  readonly #now: () => Date;
  /** Entries of machines' overlays, by hash: all machines of a rack ask at once. */
  readonly #entries = new Map<string, readonly OverlayEntry[]>();

  constructor(images: CurrentImage, mirror: CurrentMirror, overlayStore: OverlayStore, now: () => Date) {
    this.#images = images;
    this.#mirror = mirror;
    this.#overlayStore = overlayStore;
    this.#now = now;
  }

  /**
   * The image that a machine boots, and the arguments that it needs on the kernel's command line.
   * @throws MESH_BOOT_NO_IMAGE
   */
  async image(machine: MachineId): Promise<StoredImage> {
    const flavor = (await this.#overlayStore.overlayOf(machine))?.flavor ?? 'debian';
    if (flavor === 'alpine') return await this.#alpine(machine);
    const image = await this.#images.current();
    if (image === undefined) throw noImage(machine, flavor);
    return nodeImageOf(image);
  }

  /**
   * The path of the machine's overlay file, and the SHA-256 of its bytes in hex.
   * @param host0 the address at which the machine reaches host0
   * @throws MESH_BOOT_NO_OVERLAY, MESH_BOOT_NO_IMAGE, MESH_DISK_REFUSED
   */
  async overlay(
    machine: MachineId,
    image: StoredImage,
    host0: string,
  ): Promise<{ readonly sha256: string; readonly path: string }> {
    const stored = await this.#overlayStore.overlayOf(machine);
    if (stored?.overlay === undefined) {
      throw noOverlay(machine, stored !== undefined, await this.#overlayStore.refusal());
    }
    const { overlay } = stored;
    if (image.mirror === undefined) return { sha256: overlay.sha256, path: this.#overlayStore.pathOf(overlay) };
    const { key } = (await this.#mirror.boot()) ?? {};
    if (key === undefined) throw noImage(machine, 'alpine');
    const { generation, repositories } = image.mirror;
    const entries = this.#entries.get(overlay.sha256) ?? (await this.#overlayStore.entriesOf(overlay));
    if (this.#entries.size >= REMEMBERED) this.#entries.clear();
    this.#entries.set(overlay.sha256, entries);
    return await this.#overlayStore.keepForBoot(
      bootEntries(entries, { machine, host0, generation, repositories, key }),
      this.#now(),
    );
  }

  async #alpine(machine: MachineId): Promise<StoredImage> {
    const boot = await this.#mirror.boot();
    if (boot === undefined) throw noImage(machine, 'alpine');
    return alpineImageOf(boot);
  }
}

/** The node image as the boot server serves it. */
export function nodeImageOf({
  generation,
  kernelArguments,
}: {
  readonly generation: string;
  readonly kernelArguments: readonly string[];
}): StoredImage {
  return {
    kernel: `/image/${generation}/vmlinuz`,
    initrd: `/image/${generation}/initrd.img`,
    ...(kernelArguments.length > 0 && { commandLine: kernelArguments.join(' ') }),
  };
}

/** Alpine as the boot server serves it. The number of the generation is in every path. */
export function alpineImageOf({ generation, repositories, kernel, initramfs, modloop }: MirrorBoot): StoredImage {
  const at = (name: string) => `/alpine/${generation}/boot/${name}`;
  return { kernel: at(kernel), initrd: at(initramfs), mirror: { generation, repositories, modloop: at(modloop) } };
}

function noImage(machine: MachineId, flavor: Flavor): MeshError {
  return new MeshError(
    'MESH_BOOT_NO_IMAGE',
    flavor === 'debian' ? 'host0 has no image for nodes' : 'host0 has no mirror of Alpine',
    {
      operation: 'boot machine',
      object: machine,
      remedy:
        flavor === 'debian'
          ? 'Build one with `mesh system image node`.'
          : 'Make one with `mesh system download`, with `netboot` in mirror.conf.',
    },
  );
}

/**
 * The error for a machine without an overlay; its remedy depends on the reason.
 * @param skips the machine's folder has a file SKIP
 * @param refusal why the newest `/host0` is not in force
 */
function noOverlay(machine: MachineId, skips: boolean, refusal: Refusal | undefined): MeshError {
  const refuse = (why: string, remedy: string) =>
    new MeshError('MESH_BOOT_NO_OVERLAY', `there is no overlay for machine ${machine}: ${why}`, {
      operation: 'boot machine',
      object: machine,
      remedy,
    });
  if (skips) return refuse('its folder says SKIP', 'Remove the file SKIP, and run `mesh system configure`.');
  if (refusal !== undefined) {
    const { message, place } = refusal.first;
    const where = place === undefined ? '' : ` (${place.file}, line ${place.line})`;
    const why = `/host0 does not compile, and what is in force has none for it: ${message}${where}`;
    return refuse(
      why,
      'Run `mesh system configure`: it shows every fault, and puts the tree in force once there is none.',
    );
  }
  return refuse(
    'none was compiled for it, and there is no default one',
    `Name it with \`mesh node adopt ${machine} NAME\`, or make a folder whose UUID says default; then run \`mesh system configure\`.`,
  );
}
