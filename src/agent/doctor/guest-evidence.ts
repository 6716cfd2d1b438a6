/** Collects what the doctor knows of a node's guests. */
import { existsSync } from 'node:fs';
import type { ImageCache } from '../images/image-cache.ts';
import { roomAt } from '../images/image-limit.ts';
import type { NodeWorkloads } from '../workloads/node-workloads.ts';
import type { GuestEvidence, ImageCacheEvidence } from './evidence.ts';
import { readProcessor } from './proc.ts';

/** @returns undefined on a node without guests: what such a node lacks for them harms nobody */
export async function collectGuests(
  workloads: Pick<NodeWorkloads, 'means'> | undefined,
  images: ImageCache,
): Promise<GuestEvidence | undefined> {
  const means = await workloads?.means();
  if (means === undefined) return undefined;
  const [processor, cache] = await Promise.all([readProcessor(), cacheOf(images).catch(() => undefined)]);
  return { ...means, processor, hasKvmDevice: existsSync('/dev/kvm'), cache };
}

async function cacheOf(images: ImageCache): Promise<ImageCacheEvidence> {
  const { directory } = images.shelf;
  const view = await images.view();
  const { freeBytes } = await roomAt(directory);
  const unused = view.images.filter(({ volumes, progress }) => volumes.length === 0 && progress === undefined);
  const unusedBytes = unused.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { directory, limitBytes: view.limitBytes, usedBytes: view.usedBytes, unusedBytes, freeBytes };
}
