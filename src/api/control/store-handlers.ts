/** The handler of the store as a whole: what a backup has of it, while host0 goes on. */
import { once } from 'node:events';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import {
  STORE_LINE_ENTRIES,
  type STORE_ROUTES,
  type StoreHead,
  type StoreLine,
} from '../../protocol/routes/store-routes.ts';

/** The longest line, in characters, but for an entry that is longer alone. */
const LINE_LENGTH = 1_000_000;

/** All entries of the store, at one revision. */
export interface StoreCopy extends StoreHead {
  readonly entries: readonly { readonly key: string; readonly value: string }[];
}

/** The handler. @param copy throws MESH_STORE_BROKEN */
export function storeHandlers(copy: () => Promise<StoreCopy>): RouteHandlers<typeof STORE_ROUTES> {
  return {
    'GET /v1/store': async (_, open) => {
      // Before the stream is opened: a store that cannot be read is an error of this request.
      const { takenAt, epoch, revision, entries } = await copy();
      const out = open();
      const gone = new AbortController();
      out.on('error', () => out.destroy());
      out.once('close', () => gone.abort());
      const tell = async (line: StoreLine): Promise<void> => {
        if (out.destroyed || out.write(`${JSON.stringify(line)}\n`)) return;
        await once(out, 'drain', { signal: gone.signal }).catch(() => undefined);
      };
      await tell({ head: { takenAt, epoch, revision } });
      let part: { key: string; value: string }[] = [];
      let length = 0;
      for (const { key, value } of entries) {
        const more = key.length + value.length;
        if (part.length > 0 && (part.length >= STORE_LINE_ENTRIES || length + more > LINE_LENGTH)) {
          await tell({ entries: part });
          [part, length] = [[], 0];
        }
        part.push({ key, value });
        length += more;
      }
      if (part.length > 0) await tell({ entries: part });
      await tell({ end: entries.length });
      out.end();
    },
  };
}
