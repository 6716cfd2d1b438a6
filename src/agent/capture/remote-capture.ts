/**
 * host0's agent passes the capture of another node on to its own client, as it comes. host0's daemon asks the node on its
 * channel. A node without a channel is asked inside the mesh, where agents of earlier versions answer.
 */
import type { ClientRequest, IncomingMessage, RequestOptions, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { type ErrorCode, MeshError } from '../../model/error.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { type CaptureSettings, captureParameters } from '../../protocol/documents/capture.ts';
import { AGENT_PORT } from '../../protocol/documents/tcp-ports.ts';
import { request } from '../../protocol/http/http.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { ErrorShape } from '../../protocol/shapes/parts.ts';

/** A capture sends at least its statistics every 50 ms. */
const SILENCE_MS = 5_000;
const ERROR_MAX_BYTES = 8 * 1024;
/** How long a node may take for its answer's head, and for an error. It could send one byte at a time. */
const ANSWER_MS = 10_000;
/** How much later than asked for a node may end its stream. */
const LATE_MS = 5_000;

/** A capture of another node. */
export interface RemoteCapture {
  readonly network: Mesh;
  readonly member: Member;
  readonly settings: CaptureSettings;
  /** The socket of host0's daemon. */
  readonly daemon: string | undefined;
}

/** Where a capture is asked for. */
type CaptureTarget = Pick<RequestOptions, 'socketPath' | 'host' | 'port' | 'localAddress' | 'path'>;

/** A daemon that has no channel to the node, or knows no channels. */
const NO_CHANNEL: readonly ErrorCode[] = ['MESH_CHANNEL_DOWN', 'MESH_OBJECT_UNKNOWN', 'MESH_NOT_RUNNING'];

/**
 * Answers with the capture of a member, and resolves when either end has closed the stream.
 * @throws MESH_NOT_RUNNING when the other agent does not answer, or the error that it refused with; the response is
 *   still unused then
 */
export async function passOnCapture(response: ServerResponse, capture: RemoteCapture): Promise<void> {
  const { settings } = capture;
  const upstream = await openCapture(capture, () => response.writableNeedDrain);
  response.setHeader('content-type', 'application/x-pcapng');
  using _end = destroyedAfter(upstream, settings.durationSec * 1000 + LATE_MS);
  // Either end may close the stream, which is no error; `pipeline` then closes the other one.
  await pipeline(upstream, response).catch(() => undefined);
}

async function openCapture(capture: RemoteCapture, isFull: () => boolean): Promise<IncomingMessage> {
  const { network, member, settings, daemon } = capture;
  const parameters = captureParameters(settings);
  let noChannel: MeshError | undefined;
  if (daemon !== undefined) {
    try {
      const query = new URLSearchParams({ network: network.name, ...parameters });
      const path = `/v1/nodes/${member.ipv6}/capture?${query}`;
      return await openAt({ socketPath: daemon, path }, network, member, isFull);
    } catch (thrown) {
      noChannel = MeshError.from(thrown);
      if (!NO_CHANNEL.includes(noChannel.code)) throw noChannel;
    }
  }
  const localAddress = memberAddresses(network, 'host0').ipv6;
  const path = `/capture?${new URLSearchParams(parameters)}`;
  try {
    return await openAt({ host: member.ipv6, port: AGENT_PORT, localAddress, path }, network, member, isFull);
  } catch (thrown) {
    const error = MeshError.from(thrown);
    throw error.code === 'MESH_OBJECT_UNKNOWN' ? (noChannel ?? error) : error;
  }
}

async function openAt(
  target: CaptureTarget,
  network: Mesh,
  member: Member,
  isFull: () => boolean,
): Promise<IncomingMessage> {
  const upstream = await open(target, network, member, isFull);
  if (upstream.statusCode !== 200) throw await refusal(upstream, member);
  return upstream;
}

/** @param isFull whether the own client reads too slowly. The stream is silent then, and must not count as dead */
function open(target: CaptureTarget, network: Mesh, { name }: Member, isFull: () => boolean): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request({ ...target, agent: false, timeout: SILENCE_MS });
  outgoing.on('timeout', () => {
    if (!isFull()) outgoing.destroy(new Error(`silent for ${SILENCE_MS / 1000} s`));
  });
  const failed = (cause: Error) =>
    reject(
      new MeshError('MESH_NOT_RUNNING', `the agent of ${name} does not answer: ${cause.message}`, {
        object: name,
        remedy: `See \`mesh trace ${network.name} host0 ${name}\`.`,
        retryable: true,
        cause,
      }),
    );
  const end = destroyedAfter(outgoing, ANSWER_MS);
  outgoing.on('error', failed);
  outgoing.on('close', () => {
    end[Symbol.dispose]();
    // An answer such as «101 Switching Protocols» closes the connection without an error or a response.
    failed(new Error('it closed the connection'));
  });
  outgoing.on('response', (upstream) => {
    end[Symbol.dispose]();
    resolve(upstream);
  });
  outgoing.end();
  return promise;
}

/** Destroys `stream` after a time, unless the result is disposed before. */
function destroyedAfter(stream: ClientRequest | IncomingMessage, delayMs: number): Disposable {
  const timer = setTimeout(() => stream.destroy(new Error(`no end after ${delayMs / 1000} s`)), delayMs);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

async function refusal(upstream: IncomingMessage, { name }: Member): Promise<MeshError> {
  let text = '';
  using _end = destroyedAfter(upstream, ANSWER_MS);
  try {
    for await (const chunk of upstream.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      if (text.length > ERROR_MAX_BYTES) break;
    }
  } catch {
    // The body ends in the middle, and is no document then.
  }
  const { document } = readDocument(ErrorShape, text, ERROR_MAX_BYTES);
  if (document !== undefined) return MeshError.fromJSON({ ...document, message: `${name}: ${document.message}` });
  return new MeshError('MESH_INTERNAL', `the agent of ${name} answers ${upstream.statusCode}`);
}
