/** What host0 answers of the journals of nodes: it asks the node. */
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import { lastEventId } from '../../protocol/http/journal-stream.ts';
import type { NODE_LOG_ROUTES } from '../../protocol/routes/node-log-routes.ts';
import type { AskedNodes } from './asked-nodes.ts';

/** The handlers of journals of nodes. */
export function nodeLogHandlers(nodes: AskedNodes): RouteHandlers<typeof NODE_LOG_ROUTES> {
  return {
    'GET /v1/nodes/{node}/events': async ({ path, query, headers }, open) => {
      const gone = new AbortController();
      const asked = { query, lastId: lastEventId(headers), signal: gone.signal };
      const events = nodes.called(path.node).ask().messages('GET /events', asked);
      // A node that refuses is an error of this request: its answer begins before the stream is opened.
      let next = await events.next();
      const stream = open();
      stream.onClose(() => gone.abort());
      try {
        for (; next.done !== true; next = await events.next()) {
          const { id, data } = next.value;
          stream.send({ event: 'event', data: JSON.stringify(data), ...(id !== undefined && { id }) });
        }
      } catch {
        // The asker, or the node, has gone.
      }
      stream.end();
    },
  };
}
