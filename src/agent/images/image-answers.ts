/** What a node answers of its disk images. */
import type { Writable } from 'node:stream';
import { MeshError } from '../../model/error.ts';
import type { ImageLine } from '../../protocol/documents/workload/disk-image.ts';
import type { ImageCache } from './image-cache.ts';

/** Fetches an image, and tells line by line how far it is. A requester who goes away ends the transfer, unless another waits for it. */
export async function answerImage(
  cache: ImageCache,
  open: () => Writable,
  { source, sha256 }: { readonly source: string; readonly sha256?: string | undefined },
): Promise<void> {
  const out = open();
  const gone = new AbortController();
  out.once('close', () => gone.abort());
  out.on('error', () => out.destroy());
  const tell = (line: ImageLine): void => {
    if (!out.destroyed && !out.writableNeedDrain) out.write(`${JSON.stringify(line)}\n`);
  };
  try {
    const onProgress = (progress: Extract<ImageLine, { kind: 'progress' }>['progress']): void =>
      tell({ kind: 'progress', progress });
    const image = await cache.ensure({ source, sha256, signal: gone.signal, onProgress });
    out.end(`${JSON.stringify({ kind: 'ready', image: await cache.viewOf(image.sha256) } satisfies ImageLine)}\n`);
  } catch (thrown) {
    const error = MeshError.from(thrown).toJSON();
    if (!out.destroyed) out.end(`${JSON.stringify({ kind: 'failed', error } satisfies ImageLine)}\n`);
  }
}
