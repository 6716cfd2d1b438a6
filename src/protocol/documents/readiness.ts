/**
 * `GET /health` and `GET /ready` of both control sockets, for service managers and load balancers: 200, or 503 with the
 * reason. Readiness is derived from the status document, so that it agrees with `mesh status`.
 */
import type { ErrorCode } from '../../model/error.ts';
import { type Finding, findingOf } from './finding.ts';
import type { AgentStatus, GivenNetworkView, Host0Status, NetworkView } from './views.ts';

/** One thing that must be ready before the process is. */
export interface ReadinessPart {
  /** `kernel`, `network manage`, `segments`, a file. */
  readonly part: string;
  readonly state: 'ready' | 'pending' | 'failed';
  readonly reason?: string;
  readonly code?: ErrorCode;
}

/** The answer to `GET /ready`. */
export interface Readiness {
  readonly ready: boolean;
  readonly parts: readonly ReadinessPart[];
}

/** The answer to `GET /health`. A process that is not live should be restarted. */
export interface Liveness {
  readonly live: boolean;
  readonly process: 'host0' | 'agent';
  readonly node: string;
  readonly version: string;
  readonly upSec: number;
  /** Why the process is not live. */
  readonly reason?: string;
}

/**
 * A process is ready when its status has no error. An agent also needs its kernel items and all its networks; host0 also
 * needs the members of all meshes to be read.
 */
export function readinessOf(status: AgentStatus | Host0Status): Readiness {
  const own = status.role === 'agent' ? agentParts(status) : [];
  const told = new Set(own.filter(({ state }) => state !== 'ready').map(({ part }) => part));
  const others = status.health
    .filter(({ severity, code }) => severity === 'error' || isStarting(code))
    .filter(({ object }) => !told.has(`network ${object}`))
    .map(findingPart);
  const parts = [...own, ...others];
  return { ready: parts.every(({ state }) => state === 'ready'), parts };
}

function agentParts({ items, networks, given = [] }: AgentStatus): ReadinessPart[] {
  const kernel: ReadinessPart =
    items.failed > 0
      ? { part: 'kernel', state: 'failed', reason: `${items.failed} of ${items.owned} items failed` }
      : items.pending > 0
        ? { part: 'kernel', state: 'pending', reason: `${items.pending} of ${items.owned} items are being made` }
        : { part: 'kernel', state: 'ready' };
  return [kernel, ...[...networks, ...given].map(networkPart)];
}

function networkPart({ network, state }: NetworkView | GivenNetworkView): ReadinessPart {
  const part = `network ${network.name}`;
  switch (state.phase) {
    case 'ready':
      return { part, state: 'ready' };
    case 'pending':
      return { part, state: 'pending', reason: state.why };
    case 'failed':
      return unready(part, 'failed', findingOf(state.error, { object: network.name }));
  }
}

function findingPart(finding: Finding): ReadinessPart {
  return unready(finding.object, isStarting(finding.code) ? 'pending' : 'failed', finding);
}

function unready(part: string, state: 'pending' | 'failed', { code, message }: Finding): ReadinessPart {
  return { part, state, reason: message, code };
}

function isStarting(code: ErrorCode): boolean {
  return code === 'MESH_HOST0_STARTING';
}
