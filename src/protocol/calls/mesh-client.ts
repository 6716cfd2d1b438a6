/** Clients of processes inside a mesh, each call by TCP on a connection of its own. Strangers may answer there. */
import { MeshError } from '../../model/error.ts';
import type { RouteTable } from '../routes/route.ts';
import { type CallTarget, callByHttp1 } from './http1-call.ts';
import { type Call, RouteClient } from './route-client.ts';

/** Who is asked. */
export interface MeshPeer extends CallTarget {
  /** The name of the peer, for errors. */
  readonly name: string;
  /** A whole answer comes within this time: a stranger could send one byte at a time. */
  readonly timeoutMs: number;
  readonly answerMaxBytes: number;
}

/** A client of a table at one peer. Its calls throw MESH_NOT_RUNNING when no whole answer comes. */
export function meshClient<const T extends RouteTable>(table: T, peer: MeshPeer): RouteClient<T> {
  const { name, timeoutMs, answerMaxBytes, ...target } = peer;
  const explain = (error: unknown): MeshError => {
    if (error instanceof MeshError) return error;
    const isLate = error instanceof Error && /^(?:Abort|Timeout)Error$/.test(error.name);
    const why = isLate ? `silent for ${timeoutMs / 1000} s` : MeshError.from(error).message;
    return new MeshError('MESH_NOT_RUNNING', why, { object: name, cause: error, retryable: true });
  };
  return new RouteClient<T>(() => table, {
    answerMaxBytes,
    explain,
    send: (call) =>
      callByHttp1(target, { ...call, signal: signalOf(call, timeoutMs) }, timeoutMs).catch((error: unknown) => {
        throw explain(error);
      }),
    broken: (route, why) =>
      new MeshError('MESH_INTERNAL', `${name} sent an answer to ${route} that cannot be read: ${why}`, {
        object: name,
        remedy: 'Look whether another program listens there, or whether the process is of another version.',
      }),
  });
}

function signalOf({ signal }: Call, timeoutMs: number): AbortSignal {
  const end = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? end : AbortSignal.any([signal, end]);
}
