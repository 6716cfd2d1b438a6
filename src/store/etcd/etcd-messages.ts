/**
 * What goes over the JSON gateway of etcd, `POST /v3/…`. Keys and values are base64, numbers of 64 bits are texts, and what is
 * absent is zero. The gateway ignores fields that it does not know, so requests are only made here.
 */
import * as form from '../../protocol/shapes/form.ts';
import type { Change, Compare, Entry } from '../store.ts';
import { StreamErrorShape } from './etcd-failure.ts';

/** More entries and events than fit into a request. */
const MANY = 10_000_000;

const base64 = (text: string) => Buffer.from(text, 'utf8').toString('base64');

const TextShape = form.mapped(form.string(), (text) => Buffer.from(text, 'base64').toString('utf8'));
const NumberShape = form.defaulted(form.mapped(form.string({ pattern: /^-?\d{1,19}$/ }), Number), 0);
const HeaderShape = form.object({ revision: NumberShape });

const KeyValueShape = form.mapped(
  form.object({
    key: form.defaulted(TextShape, ''),
    value: form.defaulted(TextShape, ''),
    create_revision: NumberShape,
    mod_revision: NumberShape,
  }),
  ({ key, value, create_revision, mod_revision }): Entry => ({
    key,
    value,
    createRevision: create_revision,
    modRevision: mod_revision,
  }),
);

const EntriesShape = form.defaulted(form.listOf(KeyValueShape, MANY), []);

/** The answer to a range. */
export const RangeAnswerShape = form.object({ header: HeaderShape, kvs: EntriesShape });

const StepShape = form.object({
  response_range: form.exactOptional(form.object({ kvs: EntriesShape })),
  response_put: form.exactOptional(form.object({})),
  response_delete_range: form.exactOptional(form.object({ deleted: NumberShape })),
});
const StepsShape = form.defaulted(form.listOf(StepShape, MANY), []);
const BranchShape = form.object({ succeeded: form.defaulted(form.boolean(), false), responses: StepsShape });

/** The answer to a transaction that may have another one within. */
export const TxnAnswerShape = form.object({
  header: HeaderShape,
  succeeded: form.defaulted(form.boolean(), false),
  responses: form.defaulted(
    form.listOf(
      form.object({
        response_range: form.exactOptional(form.object({ kvs: EntriesShape })),
        response_txn: form.exactOptional(BranchShape),
      }),
      MANY,
    ),
    [],
  ),
});

/** What a branch of a transaction did. */
export type Branch = form.TypeOf<typeof BranchShape>;

/** The answer to a request for a lease. */
export const LeaseAnswerShape = form.object({ ID: form.string({ pattern: /^\d{1,20}$/ }) });

/** The answer to a renewal. The time is absent when the lease has ended. */
export const RenewalShape = form.object({ result: form.object({ TTL: NumberShape }) });

const EventShape = form.object({ type: form.defaulted(form.oneOf(['PUT', 'DELETE']), 'PUT'), kv: KeyValueShape });
/** One line of a watch. */
export const WatchLineShape = form.object({
  result: form.exactOptional(
    form.object({
      header: HeaderShape,
      canceled: form.defaulted(form.boolean(), false),
      compact_revision: NumberShape,
      cancel_reason: form.defaulted(form.string(), ''),
      events: form.defaulted(form.listOf(EventShape, MANY), []),
    }),
  ),
  error: form.exactOptional(StreamErrorShape),
});
/** A change as a watch tells of it. */
export type WatchEvent = form.TypeOf<typeof EventShape>;

/** The answer to a request that only has a revision, such as a put. */
export const HeaderAnswerShape = form.object({ header: HeaderShape });

/** The answer to name and password. */
export const TokenShape = form.object({ token: form.string({ max: 64 * 1024 }) });

/** A range of keys: all that begin with a text. The empty text stands for all keys. */
function below(prefix: string): { readonly key: string; readonly range_end: string } {
  if (prefix === '') return { key: base64('\0'), range_end: base64('\0') };
  const end = Buffer.from(prefix, 'utf8');
  const last = end.length - 1;
  // Keys are UTF-8, which has no byte 0xff.
  end.writeUInt8(end.readUInt8(last) + 1, last);
  return { key: base64(prefix), range_end: end.toString('base64') };
}

/** Asks for one key. */
export function keyRequest(key: string): object {
  return { key: base64(key) };
}

/** Asks for all keys that begin with `prefix`. */
export function prefixRequest(prefix: string): object {
  return below(prefix);
}

/** Asks for the changes of all keys that begin with `prefix`, from a revision on. */
export function watchRequest(prefix: string, fromRevision: number): object {
  return { create_request: { ...below(prefix), start_revision: String(fromRevision) } };
}

/** Writes one key, whatever it is. */
export function putRequest(key: string, value: string): object {
  return { key: base64(key), value: base64(value) };
}

/** Reads some keys at one revision. */
export function readAllRequest(keys: readonly string[]): object {
  return { success: [{ request_txn: { success: keys.map((key) => ({ request_range: keyRequest(key) })) } }] };
}

/**
 * A transaction that is carried out only while all fences are as they were; otherwise, the answer has the fences. etcd judges the
 * comparisons of the inner transaction before any change.
 */
export function fencedRequest(
  fences: readonly Compare[],
  compare: readonly Compare[],
  then: readonly Change[],
  otherwise: readonly Change[],
): object {
  const inner = {
    compare: compare.map(compareRequest),
    success: then.map(changeRequest),
    failure: otherwise.map(changeRequest),
  };
  return {
    compare: fences.map(compareRequest),
    success: [{ request_txn: inner }],
    failure: fences.map(({ key }) => ({ request_range: keyRequest(key) })),
  };
}

function compareRequest({ key, modRevision }: Compare): object {
  return { key: base64(key), target: 'MOD', result: 'EQUAL', mod_revision: String(modRevision) };
}

function changeRequest(change: Change): object {
  if ('delete' in change) return { request_delete_range: keyRequest(change.delete) };
  return { request_put: putRequest(change.put, change.value) };
}

/** Drops the history up to a revision. */
export function compactRequest(revision: number): object {
  return { revision: String(revision) };
}

/** Asks for a lease. */
export function leaseRequest(ttlSec: number): object {
  return { TTL: String(ttlSec) };
}

/** Asks to go on with a lease, or to end it. */
export function renewalRequest(lease: string): object {
  return { ID: lease };
}

/** Writes a key that goes with a lease, and perhaps another one that stays. */
export function leadRequest(
  compare: readonly Compare[],
  { key, value, lease }: { readonly key: string; readonly value: string; readonly lease: string },
  stays?: Change,
): object {
  const leased = { request_put: { ...putRequest(key, value), lease } };
  return {
    compare: compare.map(compareRequest),
    success: [leased, ...(stays === undefined ? [] : [changeRequest(stays)])],
  };
}
