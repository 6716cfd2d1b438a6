/** Encodes operations as netlink messages. */
import { MeshError } from '../../model/error.ts';
import { MessageWriter } from '../netlink/message-writer.ts';
import { writeAddress } from './address.ts';
import { writeFdb } from './fdb.ts';
import { writeGroupDelete, writeLinkAdd, writeLinkDelete, writeLinkMove, writeLinkSet } from './link.ts';
import { writeNeighbour } from './neighbour.ts';
import type { KernelOperation } from './operation.ts';
import { writeRoute } from './route.ts';
import { writeRule } from './rule.ts';

/**
 * Encoded messages in one buffer, with the link indexes that are still to be filled in, and the messages that may move
 * link names.
 */
export type Request = Pick<MessageWriter, 'bytes' | 'links' | 'nameChanges'>;

/** A batch of operations, encoded. */
export interface EncodedOperations {
  readonly request: Request;
  /** For each message, by its sequence number: the index of its operation. */
  readonly owners: readonly number[];
  /** Operations that cannot be encoded, by their index in the batch. */
  readonly refused: ReadonlyMap<number, MeshError>;
}

/** Encodes `operations` in order, as one or two messages each. */
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

/** Encodes the one message that `body` writes. */
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
    case 'link-move':
      writeLinkMove(writer, operation.link, operation.netnsFd);
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
    case 'rule-add':
    case 'rule-delete':
      writeRule(writer, operation);
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

/** Names the object of an operation, for error messages. */
export function operationObject(operation: KernelOperation): string {
  switch (operation.do) {
    case 'link-add':
      return `${operation.kind} ${operation.name}`;
    case 'link-set':
    case 'link-delete':
    case 'link-move':
      return operation.link;
    case 'group-delete':
      return String(operation.group);
    case 'address-add':
    case 'address-delete':
      return `${operation.address}/${operation.length} on ${operation.link}`;
    case 'route-replace':
    case 'route-delete':
      return operation.destination;
    case 'rule-add':
    case 'rule-delete':
      return `rule ${operation.priority}`;
    case 'neighbour-replace':
    case 'neighbour-delete':
      return `${operation.address} on ${operation.link}`;
    case 'fdb-replace':
    case 'fdb-append':
    case 'fdb-delete':
      return `${operation.mac} on ${operation.link} ${operation.table}`;
  }
}
