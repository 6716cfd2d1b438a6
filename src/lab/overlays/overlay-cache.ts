/** Overlays as archives that a kernel unpacks, each made once: they are kept by a digest of what they are made from. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurable } from '../../disk/durable-file.ts';
import { cpio } from '../../formats/binary/cpio.ts';
import { guestCache, markUsed, prepareCache } from '../guest/guest-cache.ts';
import type { GuestImage } from '../guest/guest-image.ts';
import { findOverlay, type OverlaySource, overlayDigest, overlayTree } from './overlay-source.ts';

/** The guest without overlays boots with it. An overlay is there twice while it is unpacked: as an archive and as files. */
const BASE_MIB = 96;
const MIB = 1024 * 1024;

/** An overlay as an archive. */
export interface BuiltOverlay extends OverlaySource {
  readonly digest: string;
  readonly archive: string;
  readonly bytes: number;
  /** It was made by this call. */
  readonly fresh: boolean;
}

/** @param again makes it also where it is there. @throws MESH_LAB_OVERLAY */
export async function buildOverlay(source: OverlaySource, guest: GuestImage, again = false): Promise<BuiltOverlay> {
  if (source.kind === 'programs') {
    return { ...source, digest: guest.id, archive: guest.tools, bytes: (await stat(guest.tools)).size, fresh: false };
  }
  const digest = overlayDigest(source);
  const archive = join(guestCache(), `overlay-${digest.slice(0, 32)}.cpio`);
  const fresh = again || !existsSync(archive);
  if (fresh) {
    const tree = await overlayTree(source);
    await writeWhole(archive, Buffer.concat([...cpio(tree.entries())]));
  } else await markUsed(archive);
  return { ...source, digest, archive, bytes: (await stat(archive)).size, fresh };
}

/** The initramfs of a guest with overlays, in their order. */
export interface OverlaidGuest {
  readonly kernel: string;
  readonly initrd: string;
  /** Changes with the content. */
  readonly id: string;
  readonly overlays: readonly BuiltOverlay[];
  /** What a machine with these overlays needs to boot. */
  readonly memoryMib: number;
}

/**
 * A guest with overlays. Where nothing has changed, nothing is made.
 * @param base the directory that paths of overlays are relative to
 * @throws MESH_LAB_OVERLAY
 */
export async function overlaidGuest(
  guest: GuestImage,
  words: readonly string[],
  base: string,
  onStage: (stage: string) => void = () => {},
): Promise<OverlaidGuest> {
  const overlays: BuiltOverlay[] = [];
  for (const word of words) {
    const source = findOverlay(word, base);
    // The same overlay twice changes nothing.
    if (overlays.some(({ path }) => path === source.path)) continue;
    onStage(`preparing the overlay ${source.name}`);
    overlays.push(await buildOverlay(source, guest));
  }
  const hash = createHash('sha256').update(guest.id);
  for (const { digest } of overlays) hash.update(`\0${digest}`);
  const id = hash.digest('hex').slice(0, 32);
  const initrd = join(guestCache(), `initrd-${id}.cpio`);
  if (!existsSync(initrd) || overlays.some(({ fresh }) => fresh)) {
    const parts = [guest.base, ...overlays.map(({ archive }) => archive)];
    await writeWhole(initrd, Buffer.concat(await Promise.all(parts.map((part) => readFile(part)))));
  } else await markUsed(initrd);
  const bytes = overlays.reduce((sum, overlay) => sum + overlay.bytes, 0);
  return { kernel: guest.kernel, initrd, id, overlays, memoryMib: BASE_MIB + Math.ceil((2 * bytes) / MIB) };
}

/** Another process sees the whole file or none, also after a power cut. */
async function writeWhole(path: string, content: Uint8Array): Promise<void> {
  await prepareCache();
  await writeDurable(path, content, 0o644);
}
