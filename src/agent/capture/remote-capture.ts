/** The capture of another node, passed on as it comes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { type ErrorDocument, MeshError } from '../../model/error.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import { type CaptureSettings, captureParameters } from '../../protocol/documents/capture.ts';
import { AGENT_PORT } from '../../protocol/documents/tcp-ports.ts';
import { request } from '../../protocol/http/http.ts';

/** Something comes every 50 ms. */
const SILENCE_MS = 5_000;
const ERROR_MAX_BYTES = 8 * 1024;

/** @throws MESH_NOT_RUNNING when it does not answer, and what it refuses */
export async function passOnCapture(
  response: ServerResponse,
  network: Network,
  member: Member,
  settings: CaptureSettings,
): Promise<void> {
  const upstream = await open(network, member, settings, () => response.writableNeedDrain);
  if (upstream.statusCode !== 200) throw await refusal(upstream, member);
  response.setHeader('content-type', 'application/x-pcapng');
  // Either end may end it: that is no error, and the other end is closed by it.
  await pipeline(upstream, response).catch(() => undefined);
}

/** @param isFull whoever reads does not, so that nothing can come */
function open(
  network: Network,
  { ipv6, name }: Member,
  settings: CaptureSettings,
  isFull: () => boolean,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request({
    host: ipv6,
    port: AGENT_PORT,
    localAddress: memberAddresses(network, 'host0').ipv6,
    path: `/capture?${new URLSearchParams(captureParameters(settings))}`,
    agent: false,
    timeout: SILENCE_MS,
  });
  outgoing.on('timeout', () => {
    if (!isFull()) outgoing.destroy(new Error(`silent for ${SILENCE_MS / 1000} s`));
  });
  outgoing.on('error', (cause) =>
    reject(
      new MeshError('MESH_NOT_RUNNING', `the agent of ${name} does not answer: ${cause.message}`, {
        object: name,
        remedy: `See \`mesh trace ${network.name} host0 ${name}\`.`,
        retryable: true,
        cause,
      }),
    ),
  );
  outgoing.on('response', resolve);
  outgoing.end();
  return promise;
}

async function refusal(upstream: IncomingMessage, { name }: Member): Promise<MeshError> {
  let text = '';
  try {
    for await (const chunk of upstream.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      if (text.length > ERROR_MAX_BYTES) break;
    }
    const { code, message, remedy } = JSON.parse(text) as Partial<ErrorDocument>;
    if (typeof code === 'string' && typeof message === 'string') {
      return MeshError.fromJSON({
        code,
        message: `${name}: ${message}`,
        ...(typeof remedy === 'string' && { remedy }),
      });
    }
  } catch {
    // Whatever it was, it was no document of ours.
  }
  return new MeshError('MESH_INTERNAL', `the agent of ${name} answers ${upstream.statusCode}`);
}
