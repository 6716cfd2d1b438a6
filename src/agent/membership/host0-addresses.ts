/** Where a node reads host0's underlay addresses from. */
import { type Ipv4, parseIpv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';

/**
 * host0's underlay addresses, the nearest first.
 * @param option the agent's `--host0` option: addresses separated by commas
 * @param kernelCommandLine the kernel command line, where host0's boot script wrote `host0=A[,B]`; used when there is
 *   no option
 * @throws MESH_HOST0_UNKNOWN when neither names an address, MESH_ADDRESS_INVALID
 */
export function host0Addresses(option: string | undefined, kernelCommandLine: string): Ipv4[] {
  const text = option ?? /(?:^|\s)host0=(\S+)/.exec(kernelCommandLine)?.[1];
  if (text !== undefined) return text.split(',').map(parseIpv4);
  throw new MeshError('MESH_HOST0_UNKNOWN', 'this node does not know where host0 is', {
    remedy:
      'Name its underlay address: --host0 10.11.0.1 (several with commas), or host0=10.11.0.1 on the kernel command line.',
  });
}
