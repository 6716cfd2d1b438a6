/** What machines can boot from host0 now: the image of nodes, and the overlay of each machine. */
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { OverlayStore, Refusal } from './overlay-store.ts';

/** Where the catalogue asks for the image that machines boot; Generations is one such source. */
export interface CurrentImage {
  /** Undefined while host0 has no image. */
  current(): Promise<{ readonly generation: string; readonly kernelArguments: readonly string[] } | undefined>;
}

/** The images and overlays of host0's state directory. Reads the disk at each call, so that a new image or overlay is found at once. */
export class StoredBootCatalogue {
  readonly #images: CurrentImage;
  readonly #overlayStore: OverlayStore;

  constructor(images: CurrentImage, overlayStore: OverlayStore) {
    this.#images = images;
    this.#overlayStore = overlayStore;
  }

  /**
   * The image that every machine boots, and the arguments that it needs on the kernel's command line.
   * @param machine only named in the error
   * @throws MESH_BOOT_NO_IMAGE
   */
  async image(machine: MachineId): Promise<{ readonly generation: string; readonly commandLine?: string }> {
    const image = await this.#images.current();
    if (image !== undefined) {
      const { generation, kernelArguments } = image;
      return { generation, ...(kernelArguments.length > 0 && { commandLine: kernelArguments.join(' ') }) };
    }
    throw new MeshError('MESH_BOOT_NO_IMAGE', 'host0 has no image for nodes', {
      operation: 'boot machine',
      object: machine,
      remedy: 'Build one with `mesh system image node`.',
    });
  }

  /**
   * The path of the machine's overlay file, and the SHA-256 of its bytes in hex.
   * @throws MESH_BOOT_NO_OVERLAY
   */
  async overlay(machine: MachineId): Promise<{ readonly sha256: string; readonly path: string }> {
    const stored = await this.#overlayStore.overlayOf(machine);
    if (stored?.overlay !== undefined) {
      return { sha256: stored.overlay.sha256, path: this.#overlayStore.pathOf(stored.overlay) };
    }
    throw noOverlay(machine, stored !== undefined, await this.#overlayStore.refusal());
  }
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
