/** The states of the objects of an assignment. */
import type { MeshError } from '../../model/error.ts';
import type { ObjectState, PortStatus } from '../../protocol/documents/node-assignment.ts';

/** A state without its age. */
export type StateNow =
  | Exclude<ObjectState, { readonly state: 'pending' }>
  | { readonly state: 'pending'; readonly why: string };

/** Whether a port is on the bridge of its network, and what else is known of a port of a guest. */
export type PortState = ({ readonly state: 'plugged' } | { readonly state: 'wanted'; readonly why: string }) & {
  readonly port?: PortStatus;
};

/** The state of an object that cannot be beside another one. */
export function refusedState({ code, message, remedy = '' }: MeshError): StateNow {
  return { state: 'failed', code, message, remedy };
}

/** Why an object is not supported whose kind this version does not know. */
export function unknownKind(kind: string): string {
  return `is of the kind ${JSON.stringify(kind)}, which this version of Meshwork does not know`;
}

/** The state of an object that this version does not support. @param why the end of a sentence about the object */
export function notSupported(kind: string, id: string, why: string): StateNow {
  return {
    state: 'failed',
    code: 'MESH_NOT_SUPPORTED',
    message: `the ${kind} ${id} ${why}`,
    remedy: 'Install the version of host0 on this node. What the node had of the object stays as it is.',
  };
}
