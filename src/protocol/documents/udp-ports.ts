/** The UDP ports at which nodes speak with each other, beside that of VXLAN. */

/** Hellos in multicast groups. The kernel has the port of VXLAN itself. */
export const HELLO_PORT = 8005;
