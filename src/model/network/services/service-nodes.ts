/** Which nodes serve a network. */
import * as form from '../../form.ts';
import { NamesShape } from '../words.ts';

/** The role of the nodes that serve networks, unless a service names its nodes. */
export const ROUTER_ROLE = 'router';

/** The nodes of a service. */
export interface ServiceNodes {
  /** Names or machine ids. Absent: all nodes with the role `router`. */
  readonly nodes?: readonly string[];
}

/** The fields of `ServiceNodes` in documents. */
export const SERVICE_NODES = { nodes: form.exactOptional(NamesShape) } as const;
