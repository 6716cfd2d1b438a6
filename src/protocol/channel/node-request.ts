/**
 * The requests that host0 makes of a node, on the node's channel (HTTP/2) and, of its own node, on `agent.sock` (HTTP/1.1):
 *
 * - `GET /status`      a line of JSON (`NodeStatus`) now and after each change; the first one says which formats the node takes
 * - `PUT /assignment`  a `NodeAssignment` in which attachments that the node has are named by their digest; answered by an
 *                      `AssignmentAnswer` when the node has taken and kept it
 * - `PUT /memberships`  both bodies stay open: the channel keeps the node's memberships (kept-membership.ts)
 * - `PUT /unplug?network=ID&name=NAME`  takes all ports off a network that host0 deletes
 * - `PUT /refusal`     an `ErrorDocument`: why host0 ends this channel
 * - `GET /path?network=NAME&…`     one node's part of a path (trace.ts)
 * - `GET /capture?network=NAME&…`  pcapng (capture.ts)
 */
import type { ServerResponse } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { MeshError } from '../../model/error.ts';

/** A request of HTTP/1.1 or HTTP/2. */
export interface NodeRequest {
  readonly method: string;
  readonly url: string;
  readonly body: Readable;
}

/** An answer of HTTP/1.1 or HTTP/2. */
export interface NodeResponse {
  /** Sends the head. @returns the body, which is to be ended */
  begin(status: number, contentType: string): Writable;
}

/** The answer of a server of node:http. */
export function httpResponse(response: ServerResponse): NodeResponse {
  return { begin: (status, contentType) => response.writeHead(status, { 'content-type': contentType }) };
}

/** A node's answers to host0's requests. What it throws becomes the answer. */
export type NodeHandler = (request: NodeRequest, response: NodeResponse) => Promise<void>;

/** Longer documents are refused. The assignment of a node with two hundred networks has 200 kB. */
export const DOCUMENT_MAX_BYTES = 16 * 1024 * 1024;

/**
 * The body of a request.
 * @throws MESH_USAGE when it is longer than `maxBytes`
 */
export async function bodyText(body: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > maxBytes) throw new MeshError('MESH_USAGE', `the body is longer than ${maxBytes} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Answers with a JSON document. */
export function answerDocument(response: NodeResponse, status: number, document: unknown): void {
  response.begin(status, 'application/json').end(JSON.stringify(document));
}
