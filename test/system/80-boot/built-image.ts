/** The node image that boot tests share with labs: built when the first of them asks. */
import type { ListedImage } from '../../../src/image/node/generations.ts';
import { cachedNodeImage } from '../../../src/image/node/image-cache.ts';

export async function builtImage(): Promise<ListedImage> {
  return (await cachedNodeImage()).image;
}
