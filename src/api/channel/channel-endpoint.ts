/**
 * host0's endpoint for channels, in the management mesh. It is bound to the address and the device, as the membership endpoint
 * is. Until a connection has proven its identity, it holds one of few places, and handshakes are limited.
 */
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Mesh } from '../../model/network/mesh.ts';
import { refusalCause } from '../../protocol/channel/channel-errors.ts';
import { channelServerTls, identityShown } from '../../protocol/channel/channel-tls.ts';
import { CHANNEL_PORT } from '../../protocol/documents/tcp-ports.ts';
import {
  DeviceListener,
  type DeviceListenerInput,
  type ListenerLimits,
  type ListeningServer,
} from '../../protocol/http/device-listener.ts';
import { type MeshPlace, meshPlace } from '../../protocol/http/mesh-endpoint.ts';
import type { Places } from '../../protocol/http/places.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { ChannelKeys, Channels } from './channels.ts';
import { HandshakeLimit } from './handshake-limit.ts';

/** The places of connections in their handshake, which takes milliseconds. */
export const CHANNEL_LIMITS: ListenerLimits = {
  connections: 512,
  connectionsPerPeer: 4,
  strangers: { connections: 64, connectionsPerPeer: 2 },
  /** All nodes may connect at once. */
  backlog: 4096,
  sendTimeoutMs: 9_000,
};

/**
 * How many connections begin their handshake in one turn of the event loop. All nodes may connect at once, and a handshake takes the
 * main thread most of a millisecond: other work comes in between.
 */
const BEGUN_PER_TURN = 8;

/** What the endpoint needs of host0. */
export interface ChannelEndpointInput
  extends Pick<DeviceListenerInput, 'clock' | 'openListener' | 'originOf' | 'onHearing'>,
    Pick<MeshPlace, 'deviceOf'> {
  readonly network: Mesh;
  readonly journal: Journal;
  readonly channels: Channels;
  readonly keys: ChannelKeys;
  readonly isMember: (peer: string) => boolean;
}

/** An endpoint that listens once it follows the index of the mesh's bridge. */
export function channelEndpoint(input: ChannelEndpointInput): DeviceListener {
  return new DeviceListener({
    ...input,
    ...meshPlace({ ...input, machine: 'host0', service: 'channel' }),
    port: CHANNEL_PORT,
    limits: CHANNEL_LIMITS,
    openServer: (places) => channelServer(input, places),
  });
}

/** A server for TCP connections that a TLS server takes over. */
export function channelServer(
  { clock, channels, keys, isMember, journal }: Omit<ChannelEndpointInput, 'network' | 'openListener'>,
  places: Pick<Places, 'release'>,
): ListeningServer {
  const limit = new HandshakeLimit();
  /** The connections by their other end: the TLS server hands on sockets of its own. */
  const open = new Map<string, Socket>();
  const tls = createTlsServer(channelServerTls((identity) => keys.pskOf(identity)));
  tls.on('tlsClientError', (cause, secure) => {
    const { remoteAddress = 'an address that has gone' } = secure;
    const identity = identityShown(secure);
    secure.destroy();
    channels.refused(refusalCause(cause, identity), remoteAddress, identity);
  });
  tls.on('secureConnection', (secure) => {
    const identity = identityShown(secure);
    secure.on('error', () => secure.destroy());
    if (identity === undefined) {
      secure.destroy();
      return;
    }
    const socket = open.get(otherEnd(secure));
    if (socket !== undefined) places.release(socket);
    channels.take(secure, identity).catch((thrown: unknown) => {
      secure.destroy();
      journal.faults.tell('channel of a node', thrown);
    });
  });
  const waiting: Socket[] = [];
  const beginSome = (): void => {
    for (const socket of waiting.splice(0, BEGUN_PER_TURN)) if (!socket.destroyed) tls.emit('connection', socket);
    if (waiting.length > 0) setImmediate(beginSome);
  };
  const server = createServer((socket) => {
    const { remoteAddress = '' } = socket;
    socket.on('error', () => socket.destroy());
    if (!limit.allows(remoteAddress, isMember(remoteAddress), clock.nowMs())) {
      socket.destroy();
      channels.refused('too many', remoteAddress, undefined);
      return;
    }
    const end = otherEnd(socket);
    open.set(end, socket);
    socket.once('close', () => open.delete(end));
    waiting.push(socket);
    if (waiting.length === 1) setImmediate(beginSome);
  });
  return {
    server,
    closeAllConnections: () => {
      for (const socket of open.values()) socket.destroy();
    },
  };
}

function otherEnd({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
