/** The order in which a booting machine should try host0's addresses. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { BootEndpoint } from './boot-site.ts';

/**
 * All addresses at which host0 serves boots, with those on the machine's own segment first.
 * @param device host0's device on that segment
 */
export function nearestFirst(endpoints: readonly BootEndpoint[], device: string): readonly Ipv4[] {
  const own = endpoints.filter((endpoint) => endpoint.device === device);
  const others = endpoints.filter((endpoint) => endpoint.device !== device);
  return [...own, ...others].map(({ host0 }) => host0);
}
