/** What a node answers to host0 (protocol/channel/node-request.ts), on its channel and on `agent.sock`. */
import type { Readable } from 'node:stream';
import { MeshError } from '../../model/error.ts';
import type { Subscribable } from '../../model/signal.ts';
import {
  answerDocument,
  bodyText,
  DOCUMENT_MAX_BYTES,
  type NodeHandler,
  type NodeRequest,
  type NodeResponse,
} from '../../protocol/channel/node-request.ts';
import { readCaptureParameters } from '../../protocol/documents/capture.ts';
import { KEPT_MEMBERSHIPS_PATH } from '../../protocol/documents/kept-membership.ts';
import type { AssignmentAnswer, NodeStatus } from '../../protocol/documents/node-assignment.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { ErrorShape } from '../../protocol/shapes/parts.ts';
import type { Agent } from '../agent.ts';
import type { Captures } from '../capture/captures.ts';
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
  serve(body: Readable, response: NodeResponse): Promise<void>;
}

/** The parts of the node that host0 asks. */
export interface NodeRoutesInput {
  readonly agent: Pick<Agent, 'networkCalled' | 'input' | 'ports'>;
  readonly captures: Captures;
  readonly paths: PathAnswers;
  readonly assignments: AssignmentTaker;
  /** Absent: host0 keeps no memberships by this connection. */
  readonly memberships?: MembershipLines;
  /** The word of this boot that the reports to the meshes carry: host0 takes reports with it as proven by the channel. */
  readonly instance: string;
  /** Takes what host0 says before it ends the channel. */
  readonly refused?: (error: MeshError) => void;
  /** Who asks, for the journal. */
  readonly who: string;
}

/** An error has this many bytes at most. */
const REFUSAL_MAX_BYTES = 8 * 1024;
/** Changes of a status that come together are one line. */
const STATUS_MS = 20;

/** The handler of a channel or a socket. */
export function nodeHandler(input: NodeRoutesInput): NodeHandler {
  const { agent, captures, paths, assignments, memberships, refused, who } = input;
  return async (request, response) => {
    const url = URL.parse(request.url, 'http://node');
    if (url === null) throw new MeshError('MESH_USAGE', 'the request names no path');
    const parameters = url.searchParams;
    const network = () => agent.networkCalled(parameters.get('network') ?? '');
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /status':
        return streamStatus(response, input);
      case 'PUT /assignment':
        return answerDocument(response, 200, await assignments.take(await bodyText(request.body, DOCUMENT_MAX_BYTES)));
      case 'PUT /unplug':
        await agent.ports.unplugAll(parameters.get('network') ?? '', parameters.get('name') ?? '');
        return answerDocument(response, 200, {});
      case `PUT ${KEPT_MEMBERSHIPS_PATH}`:
        if (memberships !== undefined) return memberships.serve(request.body, response);
        break;
      case 'PUT /refusal': {
        const error = await refusalIn(request);
        answerDocument(response, 200, {});
        return refused?.(error);
      }
      case 'GET /path':
        return answerDocument(response, 200, await paths.answer(network(), parameters));
      case 'GET /capture':
        return captures.serve(response, { network: network(), settings: readCaptureParameters(parameters), who });
    }
    throw new MeshError('MESH_OBJECT_UNKNOWN', `a node has nothing at ${request.method} ${url.pathname}`);
  };
}

async function refusalIn(request: NodeRequest): Promise<MeshError> {
  const { document, fault } = readDocument(ErrorShape, await bodyText(request.body, REFUSAL_MAX_BYTES));
  if (fault !== undefined) throw new MeshError('MESH_USAGE', `the refusal ${fault}`);
  return MeshError.fromJSON(document);
}

/** Writes a line now and after each change. A reader that is slow gets the present status when it reads again. */
function streamStatus(response: NodeResponse, { agent, assignments, instance }: NodeRoutesInput): Promise<void> {
  const { clock } = agent.input;
  const { promise, resolve } = Promise.withResolvers<void>();
  const body = response.begin(200, 'application/x-ndjson');
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
