/** Addresses as netlink messages (linux/if_addr.h): struct ifaddrmsg and IFA_* attributes. */

import { addressFamily, isIpv6 } from '../ip.ts';
import { AF_INET, AF_INET6 } from '../libc.ts';
import { AttributeTable } from '../netlink/attribute-table.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import {
  type Message,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  requireStruct,
} from '../netlink/netlink.ts';
import type { Address } from './objects.ts';
import type { KernelOperation } from './operation.ts';

/** Message type of an address that was added or changed (linux/rtnetlink.h). */
export const RTM_NEWADDR = 20;
/** Message type of an address that was removed. */
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

const IFADDRMSG_BYTES = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_RT_PRIORITY = 9;
const IFA_PROTO = 11;
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
const IFA_F_DEPRECATED = 0x20;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_PERMANENT = 0x80;

type AddressOperation = Extract<KernelOperation, { do: 'address-add' | 'address-delete' }>;

/** Writes one message that adds, replaces or deletes an address of a link. */
export function writeAddress(writer: MessageWriter, operation: AddressOperation): void {
  const { address } = operation;
  if (operation.do === 'address-add') {
    writer.begin(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE);
  } else {
    writer.begin(RTM_DELADDR, NLM_F_REQUEST);
  }
  writer.u8(addressFamily(address));
  writer.u8(operation.length);
  writer.u16(0);
  writer.linkIndex(operation.link);
  writer.attributeIp(IFA_LOCAL, address);
  writer.attributeIp(IFA_ADDRESS, address);
  if (operation.nodad === true) writer.attributeU32(IFA_FLAGS, IFA_F_NODAD);
  if (operation.metric !== undefined) writer.attributeU32(IFA_RT_PRIORITY, operation.metric);
  if (operation.protocol !== undefined) writer.attributeU8(IFA_PROTO, operation.protocol);
  writer.end();
}

/** Writes a request for all addresses of both families. */
export function writeAddressDump(writer: MessageWriter): void {
  writer.begin(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP);
  writer.u32(0);
  writer.u32(0);
  writer.end();
}

const attributes = new AttributeTable(IFA_PROTO);

/**
 * Reads an address from a message of the kernel.
 * @returns undefined for families other than IP
 * @throws MESH_KERNEL_MALFORMED
 */
export function readAddress(message: Message): Address | undefined {
  requireStruct(message, IFADDRMSG_BYTES);
  const { bytes, start, end } = message;
  const family = bytes.readUInt8(start);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  attributes.parse(bytes, start + IFADDRMSG_BYTES, end);
  // On a point-to-point link IFA_ADDRESS is the address of the other end.
  const address = attributes.ip(IFA_LOCAL) ?? attributes.ip(IFA_ADDRESS);
  if (address === undefined) return undefined;
  const flags = attributes.has(IFA_FLAGS) ? attributes.u32(IFA_FLAGS) : bytes.readUInt8(start + 2);
  return {
    family: isIpv6(address) ? 6 : 4,
    link: bytes.readUInt32LE(start + 4),
    address,
    length: bytes.readUInt8(start + 1),
    scope: scopeOf(bytes.readUInt8(start + 3)),
    tentative: (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0,
    nodad: (flags & IFA_F_NODAD) !== 0,
    ...(((flags & IFA_F_DEPRECATED) !== 0 || (flags & IFA_F_PERMANENT) === 0) && { fading: true as const }),
    protocol: attributes.u8(IFA_PROTO),
  };
}

/** The scope by its number (enum rt_scope_t of linux/rtnetlink.h). */
function scopeOf(scope: number): Address['scope'] {
  if (scope === 0) return 'global';
  if (scope === 253) return 'link';
  return scope === 254 ? 'host' : 'other';
}
