/** The ports that host0 has placed on nodes, under `/v1/ports/<id>`, and the Ethernet addresses that they have. */
import type { Mac } from '../../model/address/mac.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { NameShape } from '../../model/network/words.ts';
import type { AssignedPort } from '../../protocol/documents/node-assignment.ts';
import { PortIdShape } from '../../protocol/shapes/assigned-workload-shape.ts';
import * as form from '../../protocol/shapes/form.ts';
import { GuestAddressesShape, MachineWordShape } from '../../protocol/shapes/node-assignment-shape.ts';
import { DeviceShape, MacShape, NetworkIdShape, NodeNameShape } from '../../protocol/shapes/parts.ts';
import { jsonRecords, type RecordForm } from '../../store/collection.ts';

const RECORD_MAX_LENGTH = 4_096;

/** What is known of a port's guest, and of what the port is for. All is absent where nothing was given. */
export interface PortDescription extends Pick<AssignedPort, 'addresses' | 'trusted'> {
  /** The administrator's name for the port. No two ports have the same. */
  readonly name?: string;
  /** The VM that the port is for. */
  readonly vm?: string;
}

/** A port that host0 has placed on a node. */
export interface PlacedPort extends PortDescription, Pick<AssignedPort, 'tap'> {
  /** Hex digits. An id is never given twice. */
  readonly id: string;
  readonly network: NetworkId;
  readonly machine: MachineWord;
  /** The node's name when the port was placed there, for people. */
  readonly node: string;
  /** Name of the interface on the node. */
  readonly link: string;
  readonly mac: Mac;
}

/** Says which port of a network has an Ethernet address. */
interface MacClaim {
  readonly network: NetworkId;
  readonly mac: Mac;
  readonly port: string;
}

/** Records of placed ports in the store. */
export const PLACED_PORTS: RecordForm<PlacedPort> = jsonRecords(
  '/v1/ports/',
  ({ id }) => id,
  form.object({
    id: PortIdShape,
    network: NetworkIdShape,
    machine: MachineWordShape,
    node: NodeNameShape,
    link: DeviceShape,
    mac: MacShape,
    tap: form.exactOptional(form.literal(true)),
    addresses: form.exactOptional(GuestAddressesShape),
    trusted: form.exactOptional(form.literal(true)),
    name: form.exactOptional(NameShape),
    vm: form.exactOptional(form.string({ max: 64 })),
  }),
  RECORD_MAX_LENGTH,
);

/** The Ethernet addresses of placed ports: a key of its own for each, so that the store itself refuses the same one twice. */
export const MAC_CLAIMS: RecordForm<MacClaim> = jsonRecords(
  '/v1/macs/',
  macClaimName,
  form.object({ network: NetworkIdShape, mac: MacShape, port: PortIdShape }),
  RECORD_MAX_LENGTH,
);

/** The name of the record that claims an address in a network. */
export function macClaimName({ network, mac }: Pick<MacClaim, 'network' | 'mac'>): string {
  return `${network}/${mac}`;
}

/** The port as its node is told of it. */
export function assignedPort({ id, network, link, mac, tap, addresses, trusted }: PlacedPort): AssignedPort {
  const guest = { ...(tap && { tap }), ...(addresses && { addresses }), ...(trusted && { trusted }) };
  return { id, network, link, mac, ...guest };
}
