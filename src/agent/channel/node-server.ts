/** What a node answers to host0, on its channel and on `agent.sock`. */
import type { Readable, Writable } from 'node:stream';
import { MeshError } from '../../model/error.ts';
import type { Subscribable } from '../../model/signal.ts';
import { type OpenStream, type RouteServer, routeServer } from '../../protocol/calls/route-server.ts';
import { captureSettings } from '../../protocol/documents/capture.ts';
import type { AssignmentAnswer, NodeStatus } from '../../protocol/documents/node-assignment.ts';
import { lastEventId, type ReadConditions, streamJournal } from '../../protocol/http/journal-stream.ts';
import { CHANNEL_ROUTES } from '../../protocol/routes/channel-routes.ts';
import type { Agent } from '../agent.ts';
import type { Captures } from '../capture/captures.ts';
import type { Consoles } from '../console/consoles.ts';
import type { Screens } from '../console/screens.ts';
import type { Host0Isos } from '../images/host0-isos.ts';
import { answerImage } from '../images/image-answers.ts';
import type { ImageCache } from '../images/image-cache.ts';
import type { Arrivals } from '../moves/arrivals.ts';
import type { LeavingVolumes } from '../moves/leaving-volumes.ts';
import type { PathAnswers } from '../trace/path-answers.ts';

/** The node's side of assignments, as far as the channel needs it. */
export interface AssignmentTaker {
  /** The present status. Its digests are those of the attachments that the node has from host0. */
  status(): NodeStatus;
  /** Emits when the status has changed. */
  readonly changes: Subscribable<void>;
  /** Takes an assignment, and resolves when it is in force and, if the disk takes it, kept. */
  take(text: string): Promise<AssignmentAnswer>;
}

/** The node's side of the memberships that its channel keeps. */
export interface MembershipLines {
  /** Answers host0's request for as long as it lasts. */
  serve(body: Readable, open: OpenStream<Writable>): Promise<void>;
}

/** The parts of the node that host0 asks. */
export interface NodeServerInput {
  readonly agent: Pick<Agent, 'networkCalled' | 'input' | 'ports'>;
  readonly captures: Captures;
  readonly paths: PathAnswers;
  readonly assignments: AssignmentTaker;
  readonly conditions: ReadConditions;
  readonly consoles: Consoles;
  readonly screens: Screens;
  readonly images: ImageCache;
  /** The two ends of copies of volumes. */
  readonly moves: { readonly leaving: LeavingVolumes; readonly arrivals: Arrivals };
  /** Absent on host0, which has the files itself. */
  readonly isos?: Host0Isos;
  /** Absent: host0 keeps no memberships by this connection. */
  readonly memberships?: MembershipLines;
  /** The word of this boot that the reports to the meshes carry: host0 takes reports with it as proven by the channel. */
  readonly instance: string;
  /** Takes what host0 says before it ends the channel. */
  readonly refused?: (error: MeshError) => void;
  /** Who asks, for the journal. */
  readonly who: string;
}

/** Changes of a status that come together are one line. */
const STATUS_MS = 20;

/** The server of a channel, or of host0's questions on a socket. */
export function nodeServer(input: NodeServerInput): RouteServer<undefined> {
  const { agent, captures, paths, assignments, memberships, refused, who, consoles, screens, images, isos, moves } =
    input;
  return routeServer(
    CHANNEL_ROUTES,
    {
      'GET /status': (_asked, open) => streamStatus(open, input),
      'PUT /assignment': ({ body }) => assignments.take(body),
      'PUT /unplug': async ({ query: { network, name } }) => {
        await agent.ports.unplugAll(network, name);
        return {};
      },
      'PUT /memberships': ({ lines }, open) => {
        if (memberships !== undefined) return memberships.serve(lines, open);
        throw new MeshError('MESH_OBJECT_UNKNOWN', 'no memberships are kept by this connection', {
          object: 'memberships',
        });
      },
      'GET /leases': ({ query: { network } }) => agent.input.servers?.leasesOf(network) ?? [],
      'GET /events': ({ query: { follow }, headers }, open) =>
        streamJournal(agent.input.journal, input.conditions, { follow, lastId: lastEventId(headers) }, open()),
      'GET /consoles': () => consoles.list(),
      'GET /console': ({ query }, open) => consoles.watch(open, query),
      'PUT /console': async ({ query: { workload }, body: { base64 } }) => {
        await consoles.type(workload, base64);
        return {};
      },
      'GET /screen': ({ query }, open) => screens.watch(open, query),
      'PUT /screen': async ({ query, body: { base64 } }) => {
        await screens.say(query, base64);
        return {};
      },
      'GET /disk-images': () => images.view(),
      'POST /disk-images': ({ body }, open) => answerImage(images, open, body),
      'DELETE /disk-images': ({ query: { image } }) => images.remove(image),
      'GET /volumes': ({ query: { workload } }) => moves.leaving.list(workload),
      'GET /volume': ({ query }, open) => moves.leaving.send(query, open),
      'POST /arrivals': ({ body: { files, ...name } }) => moves.arrivals.begin(name, files),
      'PUT /arrivals': ({ body: { base64, ...piece } }) => moves.arrivals.put(piece, base64),
      'POST /arrivals/end': async ({ body: { sums, ...name } }) => {
        await moves.arrivals.end(name, sums);
        return {};
      },
      'DELETE /arrivals': async ({ query }) => {
        await moves.arrivals.drop(query);
        return {};
      },
      'PUT /isos': ({ lines }, open) => {
        if (isos !== undefined) return isos.serve(lines, open);
        throw new MeshError('MESH_OBJECT_UNKNOWN', 'this node has the files of host0 itself', { object: 'isos' });
      },
      'PUT /refusal': ({ body }) => {
        refused?.(MeshError.fromJSON(body));
        return {};
      },
      'GET /path': ({ query: { network, ...ends } }) => paths.answer(agent.networkCalled(network), ends),
      'GET /capture': ({ query: { network, ...settings } }, open) =>
        captures.serve(open, { network: agent.networkCalled(network), settings: captureSettings(settings), who }),
    },
    { onFault: (thrown) => agent.input.journal.faults.tell('request of host0', thrown) },
  );
}

/** Writes a line now and after each change. A reader that is slow gets the present status when it reads again. */
function streamStatus(open: OpenStream<Writable>, { agent, assignments, instance }: NodeServerInput): Promise<void> {
  const { clock } = agent.input;
  const { promise, resolve } = Promise.withResolvers<void>();
  const body = open();
  let isDue = false;
  let last = '';
  const write = (): void => {
    isDue = false;
    if (body.destroyed || body.writableEnded) return;
    if (body.writableNeedDrain) {
      isDue = true;
      body.once('drain', write);
      return;
    }
    const line = `${JSON.stringify({ ...assignments.status(), instance } satisfies NodeStatus)}\n`;
    if (line === last) return;
    last = line;
    body.write(line);
  };
  const end = assignments.changes.subscribe(() => {
    if (isDue) return;
    isDue = true;
    clock.after(STATUS_MS, write);
  });
  body.once('close', () => {
    end();
    resolve();
  });
  write();
  return promise;
}
