/** The client port of one member of an etcd. */
export interface EtcdEndpoint {
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** An endpoint as people write it: `10.0.0.1:2379`, `[fd00::1]:2379`. */
export function endpointText({ host, port }: EtcdEndpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
