/** Services in the store, under `/v1/networks/<number in hex>/services/<kind>`. */
import { Ipv4Shape, Ipv6CidrShape } from '../../model/address/address-shapes.ts';
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import { hexNumber, type NetworkNumber, NetworkNumberShape } from '../../model/network/number.ts';
import { BLOCKS_MAX } from '../../model/network/services/address-range.ts';
import {
  type NetworkService,
  NetworkServiceShape,
  type ServiceKind,
} from '../../model/network/services/network-service.ts';
import { NETWORK_LIST_MAX } from '../../model/network/words.ts';
import { MEMBERS_MAX } from '../../protocol/documents/membership.ts';
import * as form from '../../protocol/shapes/form.ts';
import { MachineWordShape } from '../../protocol/shapes/node-assignment-shape.ts';
import { jsonRecords, type RecordForm } from '../../store/collection.ts';
import type { ServerShare } from './server-shares.ts';

/** A service as host0 keeps it. */
export interface ServiceRecord {
  /** The version of this document. */
  readonly format: 1;
  /** The number of the network. */
  readonly network: NetworkNumber;
  readonly service: NetworkService;
  /**
   * The prefixes that routers have been told to advertise. One that the network does not have any more is advertised with the
   * lifetime 0 until all routers have sent that, and leaves this list then.
   */
  readonly announced?: readonly Ipv6Cidr[];
  /** What the nodes that give addresses, or answer names, have of the service. */
  readonly shares?: readonly ServerShare[];
  /** The service was removed: it says goodbye on its routers, and the record goes then. */
  readonly removing?: true;
}

const RECORD_MAX_LENGTH = 1024 * 1024;

const ServiceRecordShape: form.Shape<ServiceRecord> = form.object({
  format: form.literal(1),
  network: NetworkNumberShape,
  service: NetworkServiceShape,
  announced: form.exactOptional(form.listOf(Ipv6CidrShape, NETWORK_LIST_MAX)),
  shares: form.exactOptional(
    form.listOf(
      form.object({
        machine: MachineWordShape,
        address: form.exactOptional(Ipv4Shape),
        blocks: form.listOf(form.int(0, BLOCKS_MAX - 1), BLOCKS_MAX),
      }),
      MEMBERS_MAX,
    ),
  ),
  removing: form.exactOptional(form.literal(true)),
});

/**
 * The name of a service among the records below `/v1/networks/`.
 * @param kind empty for the beginning of the names of all services of the network
 */
export function serviceRecordName(network: NetworkNumber, kind: ServiceKind | ''): string {
  return `${hexNumber(network)}/services/${kind}`;
}

/** The form of services in the store. */
export const SERVICE_RECORDS: RecordForm<ServiceRecord> = {
  ...jsonRecords(
    '/v1/networks/',
    ({ network, service }) => serviceRecordName(network, service.kind),
    ServiceRecordShape,
    RECORD_MAX_LENGTH,
  ),
  isName: (name) => name.includes('/services/'),
};
