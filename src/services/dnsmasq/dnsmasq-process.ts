/** How the dnsmasq of a network runs. */
import type { ProcessSpec } from '../process/process-spec.ts';

/** What tells the dnsmasq of one network from others. */
export interface DnsmasqPlace {
  /** Name of the process. */
  readonly name: string;
  /** Name of the network, for people. */
  readonly network: string;
  /** Path of the namespace in which it serves. Absent: that of this process. */
  readonly netns?: string;
  readonly configFile: string;
}

/**
 * The process. It gives up the rights of root by itself when it has opened its sockets and its file of leases.
 * @returns the process without what it reads
 */
export function dnsmasqProcess({ name, network, netns, configFile }: DnsmasqPlace): ProcessSpec {
  return {
    name,
    title: `dnsmasq for ${network}`,
    argv: ['dnsmasq', '--keep-in-foreground', `--conf-file=${configFile}`, '--pid-file', '--log-facility=-'],
    ...(netns !== undefined && { netns }),
    readiness: { kind: 'line', text: 'started, version' },
  };
}
