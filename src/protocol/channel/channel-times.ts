/** The times of a node's channel. Both ends keep them, so that both find out about a dead connection at about the same time. */

/** The time between two pings of host0. */
export const PING_MS = 3_000;
/** A channel on which nothing was heard for this long is dead. */
export const CHANNEL_SILENCE_MS = 9_000;
/** A node asks again at a random moment within this time, so that all nodes do not ask at once when host0 is back. */
export const RETRY_SPREAD_MS = 3_000;
/** The same after host0 has refused the node again and again, which nothing but an administrator changes. */
export const REFUSED_SPREAD_MS = 30_000;
