/** What host0 answers of consoles, screens and disk images: it asks the nodes. */
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { MeshError } from '../../model/error.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { WorkloadView } from '../../protocol/documents/workload/workload-view.ts';
import type { CONSOLE_ROUTES } from '../../protocol/routes/workload/console-routes.ts';
import type { IMAGE_ROUTES } from '../../protocol/routes/workload/disk-image-routes.ts';
import type { SCREEN_ROUTES } from '../../protocol/routes/workload/screen-routes.ts';
import type { AskedNodes, NamedNode } from './asked-nodes.ts';

/** A node that does not answer a list at once is left out. */
const LIST_MS = 5_000;

/** The workloads, and the machine on which host0 has placed each. */
export interface PlacedWorkloads {
  list(): readonly Pick<WorkloadView, 'name' | 'id' | 'machine'>[];
}

/** A console or a screen, as a request names it. */
interface NamedConsole {
  readonly node: string;
  readonly workload: string;
}

/** Whether host0 has placed a workload on a machine. A node that was taken over could name any workload, and get what is typed for it. */
function isPlaced(workloads: PlacedWorkloads, workload: string, machine: string | undefined): boolean {
  return workloads
    .list()
    .some((one) => [one.name, one.id].includes(workload) && machine !== undefined && one.machine === machine);
}

/** The node where host0 has placed a workload. host0 believes its own agent. @throws MESH_CONSOLE_NONE */
function nodeOf(nodes: AskedNodes, workloads: PlacedWorkloads, { node, workload }: NamedConsole): NamedNode {
  const found = nodes.called(node);
  if (found.isOwn || isPlaced(workloads, workload, found.machine)) return found;
  throw new MeshError('MESH_CONSOLE_NONE', `host0 has no workload ${workload} on ${found.name}`, {
    object: workload,
    rule: 'A console is that of a workload on the node where host0 has placed it.',
    remedy: 'See `mesh workload list`.',
  });
}

/** The handlers of screens. */
export function screenHandlers(nodes: AskedNodes, workloads: PlacedWorkloads): RouteHandlers<typeof SCREEN_ROUTES> {
  return {
    'GET /v1/screens/{node}/{workload}': async ({ path, query }, open) => {
      const stream = await nodeOf(nodes, workloads, path)
        .ask()
        .bytes('GET /screen', { query: { ...query, workload: path.workload } });
      await pipeline(stream, open()).catch(() => undefined);
    },
    'PUT /v1/screens/{node}/{workload}': ({ path, query, body }) =>
      nodeOf(nodes, workloads, path)
        .ask()
        .ask('PUT /screen', { query: { ...query, workload: path.workload }, body }),
  };
}

/** The handlers of consoles. */
export function consoleHandlers(nodes: AskedNodes, workloads: PlacedWorkloads): RouteHandlers<typeof CONSOLE_ROUTES> {
  return {
    'GET /v1/consoles': async ({ query }) => {
      const answers = await nodes.answers(query.node, (node) => node.ask('GET /consoles', { timeoutMs: LIST_MS }));
      return answers.flatMap((given) =>
        'answer' in given
          ? given.answer
              .filter((view) => given.isOwn || isPlaced(workloads, view.workload, given.machine))
              .map((view) => ({ ...view, node: given.node }))
          : [],
      );
    },
    'GET /v1/consoles/{node}/{workload}': async ({ path, query }, open) => {
      const stream = await nodeOf(nodes, workloads, path)
        .ask()
        .bytes('GET /console', { query: { ...query, workload: path.workload } });
      // Either end may close the stream, which is no error; `pipeline` then closes the other one.
      await pipeline(stream, open()).catch(() => undefined);
    },
    'PUT /v1/consoles/{node}/{workload}': ({ path, body }) =>
      nodeOf(nodes, workloads, path)
        .ask()
        .ask('PUT /console', { query: { workload: path.workload }, body }),
  };
}

/** The handlers of disk images. */
export function imageHandlers(nodes: AskedNodes): RouteHandlers<typeof IMAGE_ROUTES> {
  return {
    'GET /v1/disk-images': async ({ query }) => {
      const answers = await nodes.answers(query.node, (node) => node.ask('GET /disk-images', { timeoutMs: LIST_MS }));
      return answers.map((given) =>
        'answer' in given
          ? { node: given.node, cache: given.answer }
          : { node: given.node, error: given.error.toJSON() },
      );
    },
    'POST /v1/disk-images': async ({ body: { node, ...wanted } }, open) => {
      const gone = new AbortController();
      const lines = nodes.called(node).ask().lines('POST /disk-images', { body: wanted, signal: gone.signal });
      // The first line comes before the stream is opened: a node that refuses is an error of this request.
      const first = await lines.next();
      const out = open();
      out.on('error', () => out.destroy());
      out.once('close', () => gone.abort());
      // A node that sends quicker than the requester reads waits.
      for (let next = first; next.done !== true && !out.destroyed; next = await lines.next()) {
        if (next.value.document === undefined || out.write(`${JSON.stringify(next.value.document)}\n`)) continue;
        await once(out, 'drain', { signal: gone.signal }).catch(() => undefined);
      }
      await lines.return(undefined);
      out.end();
    },
    'DELETE /v1/disk-images': ({ query: { node, image } }) =>
      nodes.called(node).ask().ask('DELETE /disk-images', { query: { image } }),
  };
}
