/** The mistake of a node that was given an address of itself as host0's: it would wait for an answer of itself. */
import type { Finding } from '../../protocol/documents/finding.ts';
import type { Agent } from '../agent.ts';

/** An error while all addresses that a node has for host0 are its own; nothing on host0. */
export function host0IsHere({ input, source, cache }: Pick<Agent, 'input' | 'source' | 'cache'>): Finding[] {
  const { host0 } = source;
  if (input.machine === 'host0' || host0.length === 0) return [];
  const own = new Set<string>();
  for (const { address } of cache.addresses.values()) own.add(address);
  if (!host0.every((address) => own.has(address))) return [];
  return [
    {
      code: 'MESH_HOST0_UNKNOWN',
      severity: 'error',
      object: 'host0',
      message: `this node was told that host0 is at ${host0.join(', ')}, which is an address of the node itself`,
      remedy: 'Give the agent the address of host0 with --host0, and restart it. On host0, the agent takes --on-host0.',
    },
  ];
}
