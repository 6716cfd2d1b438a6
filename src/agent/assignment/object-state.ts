/** The states of the objects of an assignment. */
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import type { ObjectState } from '../../protocol/documents/node-assignment.ts';
import type { AssignedService, KnownService } from '../../protocol/documents/service/assigned-service.ts';
import type { WorkloadRun } from '../../protocol/documents/workload/assigned-workload.ts';

/** A state without its age. */
export type StateNow =
  | Exclude<ObjectState, { readonly state: 'pending' }>
  | { readonly state: 'pending'; readonly why: string };

/** What runs the services of networks. */
export interface NetworkServersView {
  stateOf(network: Network, service: KnownService): StateNow;
}

/** The state of an object that cannot be beside another one. */
export function refusedState({ code, message, remedy = '' }: MeshError): StateNow {
  return { state: 'failed', code, message, remedy };
}

/** The state of a network that the node has. */
export function givenState(state: NetworkState): StateNow {
  if (state.phase !== 'failed')
    return state.phase === 'ready' ? { state: 'ready' } : { state: 'pending', why: state.why };
  const { code, message, remedy, rule } = state.error;
  return { state: 'failed', code, message, remedy: remedy ?? rule ?? 'See `mesh events` on the node.' };
}

/** The state of a network whose links are in place, by that of the server at this node's own addresses, if there is one. */
export function stateByServer(server: StateNow | undefined): NetworkState {
  switch (server?.state) {
    case 'pending':
      return { phase: 'pending', why: server.why };
    case 'failed': {
      const { code, message, remedy } = server;
      return { phase: 'failed', error: new MeshError(code, message, { remedy }).toJSON() };
    }
    default:
      return { phase: 'ready' };
  }
}

/** Why an object is not supported whose kind this version does not know. */
function unknownKind(kind: string): string {
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

/**
 * The state of a service.
 * @param ofNetwork the state of its network on this node
 * @param servers undefined where the agent starts none
 */
export function serviceState(
  network: Network,
  service: AssignedService,
  ofNetwork: StateNow,
  servers: NetworkServersView | undefined,
): StateNow {
  const { id } = service;
  if (service.kind === 'other') return notSupported('service', id, unknownKind(service.of));
  if (ofNetwork.state === 'pending') return { state: 'pending', why: `the network is not ready: ${ofNetwork.why}` };
  if (ofNetwork.state === 'failed') return ofNetwork;
  if (servers === undefined) return notSupported('service', id, 'cannot run here: this agent starts no servers');
  return servers.stateOf(network, service);
}

/** The state of a workload. @param run how the workload runs; undefined before it was taken up */
export function workloadState(id: string, run: WorkloadRun | undefined, isRunner: boolean): StateNow {
  if (!isRunner) return notSupported('workload', id, 'cannot run here: this agent starts no emulator');
  if (run === undefined) return { state: 'pending', why: 'the workload has not been taken up yet' };
  switch (run.state) {
    case 'preparing':
    case 'starting':
    case 'stopping':
      return { state: 'pending', why: run.why ?? `the workload is ${run.state}` };
    case 'failed':
    case 'disk-full':
      return refusedState(failureOf(id, run));
    default:
      return { state: 'ready' };
  }
}

function failureOf(id: string, { state, error }: WorkloadRun): MeshError {
  if (error !== undefined) return MeshError.fromJSON(error);
  const fault = state === 'disk-full' ? 'was paused: the disk of its volumes is full' : 'ended with a fault';
  return new MeshError('MESH_WORKLOAD_FAILED', `the workload ${id} ${fault}`, {
    object: id,
    remedy:
      state === 'disk-full'
        ? 'Make room on the disk of the node. Then run `mesh workload resume`.'
        : 'See the last lines of the workload with `mesh workload log`.',
  });
}
