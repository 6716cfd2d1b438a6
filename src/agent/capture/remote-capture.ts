/**
 * host0's agent passes the capture of another node on to its own client, as it comes. host0's daemon asks the node on its
 * channel. A node without a channel is asked inside the mesh, where agents of earlier versions answer.
 */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { type ErrorCode, MeshError } from '../../model/error.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import { isMesh } from '../../model/network/mesh.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import { type CaptureSettings, captureQuery } from '../../protocol/documents/capture.ts';
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
  readonly network: VxlanNetwork;
  readonly member: Member;
  /** The address by which host0's daemon knows the node's channel; undefined where it knows none. */
  readonly address: Ipv6 | undefined;
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
 * @throws MESH_NOT_RUNNING when the other agent does not answer, or the error that it refused with; the stream is
 *   not open then
 */
export async function passOnCapture(open: () => Writable, capture: RemoteCapture): Promise<void> {
  const { settings } = capture;
  const own: { body?: Writable } = {};
  const upstream = await openCapture(capture, () => own.body?.writableNeedDrain ?? false);
  own.body = open();
  using _end = destroyedAfter(upstream, settings.durationSec * 1000 + LATE_MS);
  // Either end may close the stream, which is no error; `pipeline` then closes the other one.
  await pipeline(upstream, own.body).catch(() => undefined);
}

async function openCapture(capture: RemoteCapture, isFull: () => boolean): Promise<IncomingMessage> {
  const { network, member, address, settings, daemon } = capture;
  const parameters = wordsOf(settings);
  let noChannel: MeshError | undefined;
  if (daemon !== undefined && address !== undefined) {
    try {
      const query = new URLSearchParams({ network: network.name, ...parameters });
      const path = `/v1/nodes/${address}/capture?${query}`;
      return await openAt({ socketPath: daemon, path }, network, member, isFull);
    } catch (thrown) {
      noChannel = MeshError.from(thrown);
      if (!NO_CHANNEL.includes(noChannel.code)) throw noChannel;
    }
  }
  if (!isMesh(network)) throw noChannel ?? withoutChannel(member);
  const localAddress = memberAddresses(network, 'host0').ipv6;
  const path = `/capture?${new URLSearchParams(parameters)}`;
  try {
    return await openAt({ host: member.ipv6, port: AGENT_PORT, localAddress, path }, network, member, isFull);
  } catch (thrown) {
    const error = MeshError.from(thrown);
    throw error.code === 'MESH_OBJECT_UNKNOWN' ? (noChannel ?? error) : error;
  }
}

function wordsOf(settings: CaptureSettings): Record<string, string> {
  return Object.fromEntries(Object.entries(captureQuery(settings)).map(([name, value]) => [name, String(value)]));
}

function withoutChannel({ name }: Member): MeshError {
  return new MeshError('MESH_CHANNEL_DOWN', `host0 knows no channel of ${name}`, {
    object: name,
    remedy: `\`mesh node show ${name}\` shows the channel, and \`mesh status\` on ${name} why it is down.`,
    retryable: true,
  });
}

async function openAt(
  target: CaptureTarget,
  network: VxlanNetwork,
  member: Member,
  isFull: () => boolean,
): Promise<IncomingMessage> {
  const upstream = await open(target, network, member, isFull);
  if (upstream.statusCode !== 200) throw await refusal(upstream, member);
  return upstream;
}

/** @param isFull whether the own client reads too slowly. The stream is silent then, and must not count as dead */
function open(
  target: CaptureTarget,
  network: VxlanNetwork,
  { name }: Member,
  isFull: () => boolean,
): Promise<IncomingMessage> {
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
