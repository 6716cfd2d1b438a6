/** The largest packet that comes back from an address, found with echoes that may not be fragmented. */
import { PacketTooBig } from '../../kernel/sockets/echo.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';

/**
 * Sends one echo with a payload of this size, unfragmented, and resolves with its round-trip time in milliseconds; with
 * undefined when no answer came.
 * @throws PacketTooBig when a link on the way, or this machine's own, is too narrow; MESH_KERNEL_REFUSED without a
 *   route
 * @param device where a link-local address is; absent for other addresses
 */
export type SizedEcho = (
  to: Ipv4 | Ipv6,
  timeoutMs: number,
  payloadBytes: number,
  device?: string,
) => Promise<number | undefined>;

const TIMEOUT_MS = 500;
/** IPv6 and ICMPv6 headers around an echo's payload. */
const HEADER_BYTES = 48;
/** Every IPv6 link carries packets of this size (RFC 8200 §5). */
const SMALLEST_MTU_BYTES = 1_280;

/**
 * The largest packet that comes back. It tries the promised size first, which usually works, and else bisects.
 * @returns bytes of the IPv6 packet, at most `promisedBytes`; 0 when not even the smallest came back
 */
export async function proveMtu(to: Ipv6, promisedBytes: number, echo: SizedEcho): Promise<number> {
  const fits = async (bytes: number) => {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        if ((await echo(to, TIMEOUT_MS, bytes - HEADER_BYTES)) !== undefined) return true;
      } catch (error) {
        if (error instanceof PacketTooBig) return false;
        throw error;
      }
    }
    return false;
  };
  if (await fits(promisedBytes)) return promisedBytes;
  let low = SMALLEST_MTU_BYTES;
  if (!(await fits(low))) return 0;
  for (let high = promisedBytes; high - low > 1; ) {
    const middle = (low + high) >> 1;
    if (await fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}
