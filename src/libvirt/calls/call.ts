/** A call of the protocol, as data that both ends share. */
import type { Codec } from '../xdr/codec.ts';

/** One procedure of the program REMOTE. */
export interface ProcedureCall<A, R> {
  readonly procedure: number;
  /** The name of the driver's function, as libvirt writes it in messages. */
  readonly name: string;
  readonly args: Codec<A>;
  readonly answer: Codec<R>;
}

/** A message that the server sends by itself. */
export interface EventMessage<T> {
  readonly procedure: number;
  readonly body: Codec<T>;
}

/** Names a call. */
export function call<A, R>(procedure: number, name: string, args: Codec<A>, answer: Codec<R>): ProcedureCall<A, R> {
  return { procedure, name, args, answer };
}

/** Names a message. */
export function message<T>(procedure: number, body: Codec<T>): EventMessage<T> {
  return { procedure, body };
}
