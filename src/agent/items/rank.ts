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
  port: 5,
  address: 6,
  route: 7,
  /** A rule leads to a table that has its routes already. */
  routingRule: 8,
  /** FDB and neighbour entries have one rank, so that the entries of a member go to the kernel in one message. */
  entry: 9,
  /** A new member's entries must not wait for nft, and the rules may accept its packets a moment later. */
  memberElement: 10,
  /** Links and addresses are there before the services that use them, and go after these. */
  file: 11,
  process: 12,
} as const;

/** The rank of an item, one of `RANK`. */
export type Rank = (typeof RANK)[keyof typeof RANK];
