/** Procedures: what a server answers to each call. */
import type { ProcedureCall } from '../calls/call.ts';
import { decode, encode } from '../xdr/codec.ts';
import { XdrFault } from '../xdr/xdr-fault.ts';
import { VIR_CODE, VIR_DOMAIN, VirError } from './vir-error.ts';

/** What a client must have done before a call. `write` is not for a client that only reads. */
export type Need = 'nothing' | 'open' | 'write';

/** One call with what answers it. `S` is what the server keeps of one client. */
export interface Procedure<S> {
  readonly number: number;
  readonly name: string;
  readonly need: Need;
  /** Reads the arguments, and writes the answer. @throws VirError, or what the handler throws */
  readonly run: (session: S, payload: Buffer) => Promise<Buffer>;
}

/** Joins a call with its handler. */
export function serve<S, A, R>(
  { procedure: number, name, args, answer }: ProcedureCall<A, R>,
  need: Need,
  handle: (session: S, args: A) => R | Promise<R>,
): Procedure<S> {
  return {
    ...{ number, name, need },
    run: async (session, payload) => encode(answer, await handle(session, decoded(args, payload))),
  };
}

/** The procedures by their numbers. */
export function procedureTable<S>(...groups: readonly (readonly Procedure<S>[])[]): ReadonlyMap<number, Procedure<S>> {
  return new Map(groups.flat().map((procedure) => [procedure.number, procedure]));
}

function decoded<A>(args: ProcedureCall<A, unknown>['args'], payload: Buffer): A {
  try {
    return decode(args, payload);
  } catch (fault) {
    if (fault instanceof XdrFault) throw rpcError('Unable to decode message payload');
    throw fault;
  }
}

/** An error of the protocol itself. */
export function rpcError(message: string): VirError {
  return new VirError(VIR_CODE.rpc, message, { domain: VIR_DOMAIN.rpc, str1: message });
}
