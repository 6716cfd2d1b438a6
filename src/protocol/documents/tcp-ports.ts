/** The TCP ports of the endpoints inside meshes, and the UDP port of hellos. */

/** host0's membership endpoint, at `[prefix::1]` of each mesh (membership.ts). */
export const MEMBERSHIP_PORT = 8000;

/** Each agent's endpoint for the other members of a mesh, at its own mesh address (trace.ts, capture.ts). */
export const AGENT_PORT = 8001;

/**
 * Metrics endpoints inside the one mesh that the settings name. Two numbers, because both processes of host0 share one
 * address.
 */
export const METRICS_PORTS = { host0: 8002, agent: 8003 } as const;

/** host0's endpoint for the channels of nodes, at `[prefix::1]` of the management mesh (protocol/channel). */
export const CHANNEL_PORT = 8004;

/** The UDP port of hellos in multicast groups. The kernel has the port of VXLAN itself. */
export const HELLO_PORT = 8005;
