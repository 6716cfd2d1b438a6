/**
 * The order in which items are put into the kernel. Items of a lower rank are created first and removed last; items of one
 * rank go to the kernel together, in as few calls as possible.
 */
export const RANK = {
  /** The nft tables come before the first link, so that no packet is ever forwarded without them. */
  rules: 0,
  underlayLink: 1,
  underlayAddress: 2,
  bridge: 3,
  /** A VXLAN is made as a port of its bridge. */
  vxlan: 4,
  /** A macvlan is on a bridge. */
  host0: 5,
  /** A tap joins its bridge as soon as it is made. */
  tap: 5,
  port: 6,
  address: 7,
  route: 8,
  /** A rule leads to a table that has its routes already. */
  routingRule: 9,
  /** FDB and neighbour entries have one rank, so that the entries of a member go to the kernel in one message. */
  entry: 10,
  /** A new member's entries must not wait for nft, and the rules may accept its packets a moment later. */
  memberElement: 11,
  /** Links and addresses are there before the services that use them, and go after these. */
  space: 12,
  file: 13,
  process: 14,
} as const;

/** The rank of an item, one of `RANK`. */
export type Rank = (typeof RANK)[keyof typeof RANK];
