/** The forms of what host0 tells of the services of networks. */
import { Ipv6CidrShape } from '../../../model/address/address-shapes.ts';
import { NetworkServiceShape } from '../../../model/network/services/network-service.ts';
import { NETWORK_LIST_MAX } from '../../../model/network/words.ts';
import { MEMBERS_MAX } from '../../documents/membership.ts';
import type { ServiceView } from '../../documents/service/service-view.ts';
import * as form from '../form.ts';
import { MachineWordShape, StateShape } from '../node-assignment-shape.ts';
import { TextShape } from '../parts.ts';

const PrefixesShape = form.listOf(Ipv6CidrShape, NETWORK_LIST_MAX);

/** The form of a service with its nodes. */
export const ServiceViewShape: form.Shape<ServiceView> = form.object({
  network: form.string({ max: 64 }),
  service: NetworkServiceShape,
  removing: form.exactOptional(form.literal(true)),
  prefixes: form.exactOptional(PrefixesShape),
  withdrawn: form.exactOptional(PrefixesShape),
  state: form.oneOf(['ready', 'pending', 'failed']),
  why: form.exactOptional(TextShape),
  ageSec: form.exactOptional(form.int(0)),
  nodes: form.listOf(
    form.object({ machine: MachineWordShape, node: TextShape, isReached: form.boolean(), state: StateShape }),
    MEMBERS_MAX,
  ),
});
