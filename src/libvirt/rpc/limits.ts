/** What one client, and all clients together, may take of a server. */

/** The limits of a server. */
export interface ServerLimits {
  /** As libvirtd's max_clients by default is 5000, which is more than host0 could bear with memory for each. */
  readonly clients: number;
  /** Clients that only read have places of their own: they keep nobody out who changes something. */
  readonly readOnlyClients: number;
  /** The calls of one client that run at once. Further ones wait in the client's own socket. */
  readonly callsInFlight: number;
  /** The longest request. The largest that makes sense is an XML document of libvirt's longest text, 4 MiB. */
  readonly requestBytes: number;
  /** What may wait for a client that does not read. */
  readonly unreadBytes: number;
  /** How long a client may take to read what waits, or to send the rest of a request that it has begun. */
  readonly patienceMs: number;
  /** What may wait for and of all clients together: halves of requests, and what they have not read. */
  readonly allBytes: number;
  /** How many callbacks a client may register. */
  readonly callbacks: number;
}

/** host0's own limits. */
export const SERVER_LIMITS: ServerLimits = {
  clients: 120,
  readOnlyClients: 40,
  callsInFlight: 32,
  requestBytes: 4_194_304 + 65_536,
  unreadBytes: 8_388_608,
  patienceMs: 30_000,
  allBytes: 67_108_864,
  callbacks: 1_000,
};
