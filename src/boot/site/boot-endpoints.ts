/**
 * The sockets of host0's boot server, and of its time: on each boot segment, bound to host0's address there and to the
 * port, and nowhere else.
 */
import { boundListener } from '../../kernel/sockets/listener.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { DeviceEndpoint, type EndpointLimits } from '../../protocol/http/device-endpoint.ts';
import { DeviceEndpoints, type DeviceEndpointsInput } from '../../protocol/http/device-endpoints.ts';
import type { EventInit } from '../../protocol/journal/event.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { STALL_SEC } from '../frames/sighting.ts';
import type { BootEndpoint, BootSite } from './boot-site.ts';
import { openTimeServer, type TimeServer } from './time-server.ts';

export interface BootEndpointsInput extends Pick<DeviceEndpointsInput<BootEndpoint>, 'indexOf'> {
  readonly site: BootSite;
  readonly clock: Clock;
  readonly journal: Journal;
}

const HTTP_PORT = 80;
const LIMITS: EndpointLimits = {
  /** A rack of 300 with two connections each, and room for those that firmware left half open. */
  connections: 2048,
  /** Virtual machines behind one of them have its address; and no machine alone takes all. */
  connectionsPerPeer: 128,
  /** All of a rack knocks within the same second when its power comes back. */
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

export function bootEndpoints({ site, clock, journal, indexOf }: BootEndpointsInput): DeviceEndpoints<BootEndpoint> {
  const endpointAt = (place: BootEndpoint): DeviceEndpoint => {
    const { device, host0: address } = place;
    let time: TimeServer | undefined;
    return new DeviceEndpoint({
      device,
      address,
      port: HTTP_PORT,
      limits: LIMITS,
      openListener: boundListener,
      handler: (request, response) => void site.handle(request, response, place),
      clock,
      onHearing: (hearing) => {
        time?.close();
        time = hearing ? timeAt(place, clock, journal) : undefined;
      },
      onFailure: (error) => journal.record(notListening(place, error)),
    });
  };
  return new DeviceEndpoints({ keyOf: ({ host0, device }) => `${host0} ${device}`, endpointAt, indexOf });
}

/** @returns undefined where a time server is here already: it does it better */
function timeAt(place: BootEndpoint, clock: Clock, journal: Journal): TimeServer | undefined {
  try {
    return openTimeServer(place, clock);
  } catch (thrown) {
    const { message } = MeshError.from(thrown);
    const { host0, device: object } = place;
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
