/**
 * host0's agent passes the capture of another node on to its own client, as it comes. host0's daemon asks the node on its
 * channel. A node without a channel is asked inside the mesh, where agents of earlier versions answer.
 */
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { type ErrorCode, MeshError } from '../../model/error.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import { isMesh } from '../../model/network/mesh.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import { ControlClient } from '../../protocol/calls/control-client.ts';
import { meshClient } from '../../protocol/calls/mesh-client.ts';
import { type CaptureSettings, captureQuery } from '../../protocol/documents/capture.ts';
import { AGENT_PORT } from '../../protocol/documents/tcp-ports.ts';
import { EARLIER_PEER_ROUTES } from '../../protocol/routes/channel-routes.ts';

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

/** A daemon that has no channel to the node, or knows no channels. */
const NO_CHANNEL: readonly ErrorCode[] = ['MESH_CHANNEL_DOWN', 'MESH_OBJECT_UNKNOWN', 'MESH_NOT_RUNNING'];

/**
 * Answers with the capture of a member, and resolves when either end has closed the stream.
 * @throws MESH_NOT_RUNNING when the other agent does not answer, or the error that it refused with; the stream is
 *   not open then
 */
export async function passOnCapture(open: () => Writable, capture: RemoteCapture): Promise<void> {
  const upstream = await openCapture(capture);
  const own = open();
  let isHeard = false;
  upstream.on('data', () => {
    isHeard = true;
  });
  // A stream is silent, too, while the own client reads too slowly.
  const silence = setInterval(() => {
    if (!isHeard && !own.writableNeedDrain) upstream.destroy(new Error(`silent for ${SILENCE_MS / 1000} s`));
    isHeard = false;
  }, SILENCE_MS);
  const longestMs = capture.settings.durationSec * 1000 + LATE_MS;
  const end = setTimeout(() => upstream.destroy(new Error(`no end after ${longestMs / 1000} s`)), longestMs);
  // Either end may close the stream, which is no error; `pipeline` then closes the other one.
  await pipeline(upstream, own).catch(() => undefined);
  clearInterval(silence);
  clearTimeout(end);
}

async function openCapture({ network, member, address, settings, daemon }: RemoteCapture): Promise<Readable> {
  const query = captureQuery(settings);
  let noChannel: MeshError | undefined;
  if (daemon !== undefined && address !== undefined) {
    const host0 = new ControlClient('host0', daemon);
    const question = { path: { address }, query: { ...query, network: network.name } };
    try {
      return await begun((signal) => host0.bytes('GET /v1/nodes/{address}/capture', { ...question, signal }));
    } catch (thrown) {
      noChannel = MeshError.from(thrown);
      if (!NO_CHANNEL.includes(noChannel.code)) throw saidBy(member, noChannel);
    }
  }
  if (!isMesh(network)) throw noChannel ?? withoutChannel(member);
  const { name, ipv6 } = member;
  const target = { host: ipv6, port: AGENT_PORT, localAddress: memberAddresses(network, 'host0').ipv6 };
  const limits = { timeoutMs: settings.durationSec * 1000 + ANSWER_MS, answerMaxBytes: ERROR_MAX_BYTES };
  const agent = meshClient(EARLIER_PEER_ROUTES, { name, ...target, ...limits });
  try {
    return await begun((signal) => agent.bytes('GET /capture', { query, signal }));
  } catch (thrown) {
    const error = MeshError.from(thrown);
    if (error.code === 'MESH_OBJECT_UNKNOWN') throw noChannel ?? saidBy(member, error);
    throw error.code === 'MESH_NOT_RUNNING' ? notThere(network, member, error) : saidBy(member, error);
  }
}

/** The stream, when its head is there. @throws MESH_NOT_RUNNING when the head does not come in time */
async function begun(ask: (signal: AbortSignal) => Promise<Readable>): Promise<Readable> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), ANSWER_MS);
  try {
    return await ask(patience.signal);
  } catch (cause) {
    if (!patience.signal.aborted) throw cause;
    throw new MeshError('MESH_NOT_RUNNING', `no answer within ${ANSWER_MS / 1000} s`, { cause, retryable: true });
  } finally {
    clearTimeout(timer);
  }
}

function withoutChannel({ name }: Member): MeshError {
  return new MeshError('MESH_CHANNEL_DOWN', `host0 knows no channel of ${name}`, {
    object: name,
    remedy: `\`mesh node info ${name}\` shows the channel, and \`mesh status\` on ${name} why it is down.`,
    retryable: true,
  });
}

function notThere(network: VxlanNetwork, { name }: Member, cause: MeshError): MeshError {
  return new MeshError('MESH_NOT_RUNNING', `the agent of ${name} does not answer: ${cause.message}`, {
    object: name,
    remedy: `See \`mesh trace ${network.name} host0 ${name}\`.`,
    retryable: true,
    cause,
  });
}

function saidBy({ name }: Member, error: MeshError): MeshError {
  return MeshError.fromJSON({ ...error.toJSON(), message: `${name}: ${error.message}` });
}
