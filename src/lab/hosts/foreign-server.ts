/** A foreign DHCP server on a lab's segment: it gives out addresses, and knows nothing of host0. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInside } from './host-process.ts';
import type { ForeignPlan } from './topology.ts';

const LEASE_SEC = 600;
/** The domain name in its leases; no other server gives it. */
export const FOREIGN_DOMAIN = 'office.example';

/**
 * Starts dnsmasq as the foreign server; it outlives this process.
 * @param directory the lab's directory
 * @throws MESH_LAB_FAILED if dnsmasq cannot be started
 */
export function startForeignServer({ netns, first, last }: ForeignPlan, directory: string): void {
  const place = foreignPlace(directory);
  mkdirSync(place, { recursive: true });
  const argv: [string, ...string[]] = [
    'dnsmasq',
    ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--no-ping'],
    ...[`--dhcp-range=${first},${last},${LEASE_SEC}`, `--dhcp-option=option:domain-name,${FOREIGN_DOMAIN}`],
    ...[
      `--dhcp-leasefile=${join(place, 'leases')}`,
      '--pid-file',
      '--log-dhcp',
      `--log-facility=${join(place, 'log')}`,
    ],
  ];
  startInside(netns, place, { name: 'dnsmasq', title: 'the foreign server', argv });
}

interface ForeignRecord {
  /** Lines `expiry MAC IPv4 name client-id`. */
  readonly leases: readonly string[];
  /** Lines of dnsmasq's log: all requests and answers. */
  readonly log: readonly string[];
}

/** What the foreign server has leased and logged so far. @param directory the lab's directory */
export function foreignRecord(directory: string): ForeignRecord {
  const linesOf = (name: string) =>
    readFileSync(join(foreignPlace(directory), name), 'utf8')
      .trimEnd()
      .split('\n');
  return { leases: linesOf('leases'), log: linesOf('log') };
}

function foreignPlace(directory: string): string {
  return join(directory, 'foreign');
}
