/**
 * The sockets of host0's boot server and time server. On each boot segment they are bound to host0's address there and to
 * its device, and they exist nowhere else.
 */
import { boundListener } from '../../kernel/sockets/listener.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { DeviceEndpoint, type EndpointLimits } from '../../protocol/http/device-endpoint.ts';
import { DeviceEndpoints, type DeviceEndpointsInput } from '../../protocol/http/device-endpoints.ts';
import type { Origin } from '../../protocol/http/place-pool.ts';
import type { EventInit } from '../../protocol/journal/event.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { STALL_SEC } from '../frames/sighting.ts';
import type { BootEndpoint, BootSite } from './boot-site.ts';
import { openTimeServer, type TimeServer } from './time-server.ts';

/** What the endpoints need. */
export interface BootEndpointsInput extends Pick<DeviceEndpointsInput<BootEndpoint>, 'indexOf'> {
  readonly site: BootSite;
  readonly clock: Clock;
  readonly journal: Journal;
  /** The Ethernet address of a peer on a segment. IP addresses are free there, and a machine may take many. */
  readonly originAt: (device: string, peer: string) => Promise<Origin>;
}

const HTTP_PORT = 80;
const LIMITS: EndpointLimits = {
  /** Enough for a rack of 300 machines with two connections each, and for connections that firmware left half open. */
  connections: 2048,
  /** Enough for virtual machines that share their host's address, and too few for one machine to take all connections. */
  connectionsPerPeer: 128,
  /** When the power comes back, all machines of a rack connect within the same second. */
  backlog: 1024,
  sendTimeoutMs: STALL_SEC * 1000,
  http: {
    maxHeaderSize: 8192,
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 15_000,
    connectionsCheckingInterval: 5_000,
  },
};

/** The boot servers of all segments. They are opened and closed as the returned object is told which segments are served. */
export function bootEndpoints({
  site,
  clock,
  journal,
  indexOf,
  originAt,
}: BootEndpointsInput): DeviceEndpoints<BootEndpoint> {
  const endpointAt = (endpoint: BootEndpoint): DeviceEndpoint => {
    const { device, host0: address } = endpoint;
    const title = `boot server on ${device}`;
    let time: TimeServer | undefined;
    return new DeviceEndpoint({
      title,
      device,
      address,
      port: HTTP_PORT,
      limits: LIMITS,
      openListener: boundListener,
      originOf: (peer) => originAt(device, peer),
      handler: (request, response) => site.handle(request, response, endpoint),
      clock,
      onHearing: (hearing) => {
        time?.close();
        time = hearing ? timeAt(endpoint, clock, journal) : undefined;
      },
      onFailure: (error) => journal.record(notListening(endpoint, error)),
      onFault: (thrown) => journal.faults.tell(`request to the ${title}`, thrown),
    });
  };
  return new DeviceEndpoints({ keyOf: ({ host0, device }) => `${host0} ${device}`, endpointAt, indexOf });
}

/** @returns undefined if another time server listens on this host already; it is left to serve the time */
function timeAt(endpoint: BootEndpoint, clock: Clock, journal: Journal): TimeServer | undefined {
  try {
    return openTimeServer(endpoint, clock);
  } catch (thrown) {
    const { message } = MeshError.from(thrown);
    const { host0, device: object } = endpoint;
    journal.record({ kind: 'time left to others', message: `${host0} on ${object}: ${message}`, object });
    return undefined;
  }
}

function notListening({ device, host0 }: BootEndpoint, { code, message }: MeshError): EventInit {
  return {
    level: 'error',
    kind: 'boot server not listening',
    message: `${host0} port ${HTTP_PORT} on ${device}: ${message}`,
    object: device,
    code,
    remedy: `Stop what listens on port ${HTTP_PORT} of ${host0} (\`ss -ltnp\`), or switch boot off on ${device} in host0.conf.`,
  };
}
