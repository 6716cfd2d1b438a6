/** NAT44: IPv4 guests of a network reach outside under addresses of its active router, and nobody outside reaches them. */
import { Ipv4Shape } from '../../address/address-shapes.ts';
import { type Ipv4, ipv4ToNumber } from '../../address/ipv4.ts';
import * as form from '../../form.ts';
import { DeviceShape, PortNumberShape } from '../words.ts';
import { SERVICE_NODES, type ServiceNodes } from './service-nodes.ts';

/** IPv4 addresses in a row. */
export interface Ipv4Row {
  readonly first: Ipv4;
  readonly last: Ipv4;
}

/** Ports in a row. */
export interface PortRow {
  readonly first: number;
  readonly last: number;
}

/** What is wanted of NAT44. The guests are those of the IPv4 subnets of the network. */
export interface Nat44Service extends ServiceNodes {
  readonly kind: 'nat44';
  /** The device that leads outside, of the same name on all routers. */
  readonly device: string;
  /** The address of the active router outside. */
  readonly address: Ipv4;
  /** Length of the prefix of the subnet outside. */
  readonly length: number;
  /** The router of that subnet. Absent: only the subnet is reached. */
  readonly gateway?: Ipv4;
  /** The addresses that guests share. Absent: `address`. The active router has all of them. */
  readonly range?: Ipv4Row;
  /** The ports of TCP and UDP that guests share. Absent: any. */
  readonly ports?: PortRow;
}

/** The router has each address on its device, and announces each. */
const RANGE_MAX = 32;

const RowShape = form.worded(
  form.refined(form.object({ first: Ipv4Shape, last: Ipv4Shape }), ({ first, last }) => {
    const count = ipv4ToNumber(last) - ipv4ToNumber(first) + 1;
    return count >= 1 && count <= RANGE_MAX;
  }),
  `Up to ${RANGE_MAX} addresses, the lowest one first.`,
);

const PortsShape = form.worded(
  form.refined(form.object({ first: PortNumberShape, last: PortNumberShape }), ({ first, last }) => first <= last),
  'Ports from 1 to 65535, the lower one first.',
);

/** The form of the service in documents. */
export const Nat44ServiceShape = form.object({
  kind: form.literal('nat44'),
  ...SERVICE_NODES,
  device: DeviceShape,
  address: Ipv4Shape,
  length: form.int(8, 32),
  gateway: form.exactOptional(Ipv4Shape),
  range: form.exactOptional(RowShape),
  ports: form.exactOptional(PortsShape),
});
