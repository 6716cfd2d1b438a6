/** A network as the store keeps it, under `/v1/networks/<number in hex>`. */
import { genid } from '../../model/genid.ts';
import type { Network } from '../../model/network/network.ts';
import { hexNumber, type NetworkNumber } from '../../model/network/number.ts';
import { readJson } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { NetworkShape } from '../../protocol/shapes/network-shape.ts';
import { jsonRecords, type RecordForm } from '../../store/collection.ts';
import type { Entry } from '../../store/store.ts';
import { hasLaterParts } from './later-parts.ts';

/** The definition of a network, and whether it is active. How the network is on its nodes is never written here. */
export interface NetworkRecord {
  readonly network: Network;
  /** What nodes have: the definition was changed since the activation. Only while the network is active. Absent: the definition. */
  readonly live?: Network;
  /** The network is not defined: it goes when it is stopped. Only while the network is active. Absent: it is defined. */
  readonly persistent?: false;
  /** Whether a boot of host0's machine starts the network. Absent: after a boot, the network is as it was before. */
  readonly autostart?: boolean;
  /** Present while the network is active: a small number, the lowest that was free at activation. */
  readonly activeId?: number;
  /** The network was deleted. The record stays until no node has the network, so that the number is not given to another. */
  readonly deleting?: true;
  /** The document in another place that the network was made from: the network changes and goes with it. */
  readonly from?: WrittenDocument;
}

/** A document in the store that a person wrote. */
export interface WrittenDocument {
  readonly key: string;
  /** The revision that last changed the document. */
  readonly modRevision: number;
  /** Of the text: a store that was restored has the same document at another revision. A record of an earlier version has none. */
  readonly digest?: string;
}

/** The document of an entry of the store. */
export function writtenDocument({
  key,
  value,
  modRevision,
}: Pick<Entry, 'key' | 'value' | 'modRevision'>): WrittenDocument {
  return { key, modRevision, digest: genid(['document', value], DIGEST_HEX) };
}

/** Whether a network was made from the document as it is now: what commands have changed since stays. */
export function isTakenUp(written: WrittenDocument, from: WrittenDocument | undefined): boolean {
  return from?.digest === undefined ? written.modRevision === from?.modRevision : written.digest === from.digest;
}

/** Whether a document says that it is of a later version, which knows it. */
export function isOfLaterVersion(value: string): boolean {
  const { document } = readJson(value);
  const format: unknown = typeof document === 'object' && document !== null ? Reflect.get(document, 'format') : 1;
  return typeof format === 'number' && format > FORMAT_LAST;
}

/** The last version of records that this Meshwork reads. */
const FORMAT_LAST = 2;
/** Two documents of one network never have the same by chance. */
const DIGEST_HEX = 32;
const PREFIX = '/v1/networks/';

/** The key of the record of a network. */
export function recordKey(number: NetworkNumber): string {
  return PREFIX + hexNumber(number);
}

/** A network with thousands of reservations has some 500 kB. */
const RECORD_MAX_LENGTH = 4 * 1024 * 1024;

/** The parts of both versions. */
const COMMON = {
  network: NetworkShape,
  activeId: form.exactOptional(form.int(1)),
  deleting: form.exactOptional(form.literal(true)),
  from: form.exactOptional(
    form.object({
      key: form.string({ max: 256 }),
      modRevision: form.int(1),
      digest: form.exactOptional(form.string({ max: 64 })),
    }),
  ),
} as const;

/** A record of version 1 is that of a network which is defined, and active as it is defined. */
const RecordDocumentShape = form.variants('format', [
  form.object({ format: form.literal(1), ...COMMON }),
  form.object({
    format: form.literal(2),
    ...COMMON,
    live: form.exactOptional(NetworkShape),
    persistent: form.exactOptional(form.literal(false)),
    autostart: form.exactOptional(form.boolean()),
  }),
]);

const NetworkRecordShape: form.Shape<NetworkRecord> = form.mapped(
  RecordDocumentShape,
  ({ format: _, ...record }): NetworkRecord => record,
);

/** The earliest version that can say all of a record: an earlier host0 reads what it can carry out, and leaves the rest alone. */
function formatOf({ network, live, persistent, autostart }: NetworkRecord): 1 | 2 {
  const isFirst = live === undefined && persistent === undefined && autostart === undefined;
  return isFirst && !hasLaterParts(network) ? 1 : 2;
}

/** The network as nodes have it while it is active. */
export function liveOf({ network, live }: NetworkRecord): Network {
  return live ?? network;
}

/** Whether nodes may have the network. */
export function isActive({ activeId, deleting }: NetworkRecord): boolean {
  return activeId !== undefined && deleting !== true;
}

/** The form of networks in the store. A record of a later version is none, and is left alone. */
export const NETWORK_RECORDS: RecordForm<NetworkRecord> = {
  ...jsonRecords(PREFIX, ({ network }) => hexNumber(network.number), NetworkRecordShape, RECORD_MAX_LENGTH),
  // The number is shown as in the key, for people. What counts is that of the network.
  print: (record) =>
    JSON.stringify({ format: formatOf(record), number: `0x${hexNumber(record.network.number)}`, ...record }),
  // The services of a network are below its key.
  isName: (name) => !name.includes('/'),
};
