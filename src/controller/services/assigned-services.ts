/** What a node is told of a service: the record, with the parts of the network that the service needs. Pure. */
import { createHash } from 'node:crypto';
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import type { Network } from '../../model/network/network.ts';
import type { RaService } from '../../model/network/services/ra.ts';
import type { AdvertisedPrefix } from '../../protocol/documents/service/assigned-ra.ts';
import type { AssignedService } from '../../protocol/documents/service/assigned-service.ts';
import type { ServiceRecord } from './service-record.ts';

/**
 * Lifetimes that a network survives the loss of a router with: an advertisement comes every 3 to 4 s, so a guest misses two before
 * it gives a router up after 12 s. A prefix that nobody advertises any more is not used for new connections after an hour.
 */
const ROUTER_LIFETIME_SEC = 12;
const REACHABLE_MS = 3_000;
const PREFERRED_SEC = 3_600;
const VALID_SEC = 7_200;
const DIGEST_HEX = 16;

/** The prefixes that routers of the network advertise: guests form addresses in a /64 alone (RFC 4862 §5.5.3). */
export function prefixesOf({ subnets }: Pick<Network, 'subnets'>): readonly Ipv6Cidr[] {
  return subnets.flatMap(({ cidr, ra }) => (isPrefix(cidr) && ra !== false ? [cidr] : []));
}

function isPrefix(cidr: string): cidr is Ipv6Cidr {
  return cidr.includes(':') && cidr.endsWith('/64');
}

/** What each node that serves is given of a service. */
export function assignedService(network: Network, record: ServiceRecord): AssignedService {
  return assignedRa(network, record.service, record);
}

function assignedRa(
  network: Network,
  service: RaService,
  { announced = [], removing }: ServiceRecord,
): AssignedService {
  const now = new Set(removing === true ? [] : prefixesOf(network));
  const prefixes = announced.map((prefix): AdvertisedPrefix => {
    if (!now.has(prefix)) return { prefix, validSec: 0, preferredSec: 0 };
    return { prefix, validSec: VALID_SEC, preferredSec: PREFERRED_SEC };
  });
  const { resolvers = [], searchDomains = [] } = service;
  const advertisement = {
    lifetimeSec: removing === true ? 0 : ROUTER_LIFETIME_SEC,
    reachableMs: REACHABLE_MS,
    mtuBytes: network.mtuBytes,
    prefixes,
    resolvers,
    searchDomains,
  };
  return { kind: 'ra', id: idOf(network, 'ra', advertisement), advertisement };
}

/** A state of a node names this, so that the state is about exactly this content. */
function idOf({ id }: Network, kind: string, content: unknown): string {
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, DIGEST_HEX);
  return `${id}.${kind}.${digest}`;
}
