/** Operations as netlink messages. */
import { MeshError } from '../../model/error.ts';
import { MessageWriter } from '../netlink/message-writer.ts';
import { writeAddress } from './address.ts';
import { writeFdb } from './fdb.ts';
import { writeGroupDelete, writeLinkAdd, writeLinkDelete, writeLinkSet } from './link.ts';
import { writeNeighbour } from './neighbour.ts';
import type { KernelOperation } from './operation.ts';
import { writeRoute } from './route.ts';

/** Messages in one buffer, where an index is missing in it, and which of them move names. */
export type Request = Pick<MessageWriter, 'bytes' | 'links' | 'nameChanges'>;

export interface EncodedOperations {
  readonly request: Request;
  /** The place in the operations of each message, by its sequence number. */
  readonly owners: readonly number[];
  /** Operations that cannot be said at all, by their place. */
  readonly refused: ReadonlyMap<number, MeshError>;
}

/** The messages of `operations`, in order: one or two each. */
export function encodeOperations(operations: readonly KernelOperation[]): EncodedOperations {
  const writer = new MessageWriter();
  const owners: number[] = [];
  const refused = new Map<number, MeshError>();
  operations.forEach((operation, number) => {
    try {
      write(writer, operation);
    } catch (thrown) {
      writer.abandon();
      refused.set(number, MeshError.from(thrown));
    }
    while (owners.length < writer.count) owners.push(number);
  });
  return { request: writer, owners, refused };
}

/** One message that `body` writes. */
export function encodeOne(body: (writer: MessageWriter) => void): Request {
  const writer = new MessageWriter();
  body(writer);
  return writer;
}

function write(writer: MessageWriter, operation: KernelOperation): void {
  switch (operation.do) {
    case 'link-add':
      writeLinkAdd(writer, operation);
      break;
    case 'link-set':
      writeLinkSet(writer, operation.link, operation.change);
      break;
    case 'link-delete':
      writeLinkDelete(writer, operation.link);
      break;
    case 'group-delete':
      writeGroupDelete(writer, operation.group);
      break;
    case 'address-add':
    case 'address-delete':
      writeAddress(writer, operation);
      break;
    case 'route-replace':
    case 'route-delete':
      writeRoute(writer, operation);
      break;
    case 'neighbour-replace':
    case 'neighbour-delete':
      writeNeighbour(writer, operation);
      break;
    case 'fdb-replace':
    case 'fdb-append':
    case 'fdb-delete':
      writeFdb(writer, operation);
      break;
  }
}

/** What an operation is done to, for people. */
export function operationObject(operation: KernelOperation): string {
  switch (operation.do) {
    case 'link-add':
      return `${operation.kind} ${operation.name}`;
    case 'link-set':
    case 'link-delete':
      return operation.link;
    case 'group-delete':
      return String(operation.group);
    case 'address-add':
    case 'address-delete':
      return `${operation.address}/${operation.length} on ${operation.link}`;
    case 'route-replace':
    case 'route-delete':
      return operation.destination;
    case 'neighbour-replace':
    case 'neighbour-delete':
      return `${operation.address} on ${operation.link}`;
    case 'fdb-replace':
    case 'fdb-append':
    case 'fdb-delete':
      return `${operation.mac} on ${operation.link} ${operation.table}`;
  }
}
