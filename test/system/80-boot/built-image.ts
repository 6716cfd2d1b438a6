/** The node image that boot tests share with labs. */
import type { ListedImage } from '../../../src/image/node/generations.ts';
import { cachedNodeImage } from '../../../src/image/node/image-cache.ts';

/** Resolves with the image; the first caller on this machine builds it. */
export async function builtImage(): Promise<ListedImage> {
  return (await cachedNodeImage()).image;
}
