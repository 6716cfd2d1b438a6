/** The programs of libvirt's protocol, and the procedures of the one that keeps a connection alive. */

/** All calls of hypervisors, networks and storage, and their events. */
export const REMOTE = { program: 0x2000_8086, version: 1 } as const;
/** Pings. */
export const KEEPALIVE = { program: 0x6b65_6570, version: 1 } as const;
/** Asks for a sign of life. */
export const PING = 1;
/** Answers a ping. */
export const PONG = 2;
