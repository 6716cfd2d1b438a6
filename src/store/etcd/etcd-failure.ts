/** Why a request to etcd failed, by what can be done about it. */
import { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';

/**
 * `away`: this member has not carried the request out, and another may. `unsure`: nobody knows whether it was carried out, or will
 * be. `unreadable`: an answer came that cannot be read. `untrusted`: the certificate of one end is not taken. `expired`: the token must be renewed. `final`: no member will carry the
 * request out.
 */
export type FailureKind = 'away' | 'unsure' | 'unreadable' | 'untrusted' | 'expired' | 'final';

/** A request that failed at one member. */
export class EtcdFailure extends Error {
  readonly kind: FailureKind;
  /** What to tell when nothing helps. */
  readonly error: MeshError;

  constructor(kind: FailureKind, error: MeshError) {
    super(error.message);
    this.kind = kind;
    this.error = error;
  }
}

/** What the gateway answers beside 200. In a stream, the code has another name. */
const RefusalShape = form.object({
  message: form.defaulted(form.string(), ''),
  error: form.exactOptional(form.string()),
  code: form.exactOptional(form.int()),
  grpc_code: form.exactOptional(form.int()),
});
/** An error in a stream. */
export const StreamErrorShape = RefusalShape;

/** Codes of gRPC (grpc.io/docs/guides/status-codes). */
const INVALID_ARGUMENT = 3;
/** A lease that has ended. */
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const OUT_OF_RANGE = 11;
const UNAUTHENTICATED = 16;

/** Reads an answer that is not 200. */
export function failureOfAnswer(status: number, text: string): EtcdFailure {
  const { document } = readDocument(RefusalShape, text, 64 * 1024);
  if (document === undefined) return new EtcdFailure('unsure', broken(`etcd answers ${status}, and no reason`));
  return judgedFailure(document);
}

/** Judges the error that a member sends. */
export function judgedFailure(refusal: form.TypeOf<typeof RefusalShape>): EtcdFailure {
  const message = refusal.message || refusal.error || 'no reason';
  const text = `etcd says: ${message}`;
  switch (refusal.code ?? refusal.grpc_code) {
    case UNAUTHENTICATED:
      return new EtcdFailure('expired', refused(text));
    case PERMISSION_DENIED:
      return new EtcdFailure('final', refused(text, 'Give the user a role that may read and write keys below /v1/'));
    case INVALID_ARGUMENT:
      return invalid(message, text);
    case NOT_FOUND:
      return new EtcdFailure('final', broken(text));
    case OUT_OF_RANGE:
      return new EtcdFailure('final', new MeshError('MESH_STORE_COMPACTED', text, { object: 'etcd' }));
    case RESOURCE_EXHAUSTED:
      return exhausted(message, text);
  }
  // Only this one is said before a request goes to the log of etcd.
  return new EtcdFailure(message.includes('etcdserver: no leader') ? 'away' : 'unsure', broken(text));
}

function invalid(message: string, text: string): EtcdFailure {
  if (/user name|password|authentication|CommonName/i.test(message)) {
    return new EtcdFailure('final', refused(text, 'See which user and certificate host0 shows in etcd.conf'));
  }
  if (/too large|too many operations/.test(message)) return new EtcdFailure('final', tooLarge(text));
  return new EtcdFailure('final', new MeshError('MESH_INTERNAL', text, { object: 'etcd' }));
}

function exhausted(message: string, text: string): EtcdFailure {
  if (message.includes('database space exceeded')) {
    const remedy = 'Run `etcdctl defrag` on each member, then `etcdctl alarm disarm`';
    return new EtcdFailure('final', new MeshError('MESH_STORE_BROKEN', text, { object: 'etcd', remedy }));
  }
  return /larger than max|too large/.test(message)
    ? new EtcdFailure('final', tooLarge(text))
    : new EtcdFailure('away', broken(text));
}

/** An etcd that does not answer, or not in its form. */
export function broken(message: string, cause?: unknown): MeshError {
  const remedy = 'See that most members of etcd run and reach each other: `etcdctl endpoint status --cluster`';
  return new MeshError('MESH_STORE_BROKEN', message, { object: 'etcd', remedy, retryable: true, cause });
}

/** An etcd that does not take host0 for a client, or the other way round. */
export function refused(message: string, remedy?: string): MeshError {
  return new MeshError('MESH_STORE_REFUSED', message, { object: 'etcd', ...(remedy !== undefined && { remedy }) });
}

function tooLarge(message: string): MeshError {
  return new MeshError('MESH_STORE_TOO_LARGE', message, {
    object: 'etcd',
    rule: 'A transaction of etcd has at most 60 changes, and 1.5 MiB.',
  });
}
