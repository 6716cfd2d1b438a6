/** DNS in a network: names of guests, of reservations and of leases, and the way to other names. */
import { IpShape } from '../../address/address-shapes.ts';
import * as form from '../../form.ts';
import type { NetworkDns } from '../dns.ts';
import { LineShape, NETWORK_LIST_MAX, PortNumberShape } from '../words.ts';
import { DomainNameShape } from './host-name.ts';
import { SERVICE_NODES, type ServiceNodes } from './service-nodes.ts';

/** What is wanted of DNS. Each node that serves answers at its own address. */
export interface DnsService extends ServiceNodes, NetworkDns {
  readonly kind: 'dns';
  /** Names in the domain are answered here alone, and never forwarded. */
  readonly localOnly: boolean;
}

const SrvShape = form.object({
  service: DomainNameShape,
  protocol: form.oneOf(['tcp', 'udp']),
  domain: form.exactOptional(DomainNameShape),
  target: DomainNameShape,
  port: PortNumberShape,
  priority: form.exactOptional(form.int(0, 65_535)),
  weight: form.exactOptional(form.int(0, 65_535)),
});

const NAMES_MAX = 64;
/** Also with the guests of a network. */
const HOSTS_MAX = 65_536;

function listOf<T>(shape: form.Shape<T>, max = NETWORK_LIST_MAX) {
  return form.defaulted(form.listOf(shape, max), []);
}

/** The form of the names. */
export const DNS_NAMES = {
  domain: form.exactOptional(DomainNameShape),
  hosts: listOf(form.object({ address: IpShape, names: form.listOf(DomainNameShape, NAMES_MAX) }), HOSTS_MAX),
  srv: listOf(SrvShape),
  txt: listOf(form.object({ name: DomainNameShape, value: LineShape })),
  forwarders: listOf(form.object({ address: IpShape, domain: form.exactOptional(DomainNameShape) })),
  localOnly: form.defaulted(form.boolean(), true),
} as const;

/** The form of the service in documents. */
export const DnsServiceShape = form.object({
  kind: form.literal('dns'),
  ...SERVICE_NODES,
  ...DNS_NAMES,
});
