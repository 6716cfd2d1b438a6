/** Where a node reads host0's underlay addresses from. */
import { type Ipv4, isIpv4 } from '../model/address/ipv4.ts';
import { isIpv6Text } from '../model/address/ipv6.ts';
import { MeshError } from '../model/error.ts';

const EXAMPLE = '--host0 10.11.0.1';

/**
 * host0's underlay addresses, the nearest first.
 * @param option the agent's `--host0` option: addresses separated by commas or blanks
 * @param kernelCommandLine the kernel command line, where host0's boot script wrote `host0=A[,B]`; used when there is
 *   no option
 * @throws MESH_HOST0_UNKNOWN when neither names an address, and for a name, an IPv6 address, or an address that cannot be
 *   that of another machine
 */
export function host0Addresses(option: string | undefined, kernelCommandLine: string): Ipv4[] {
  const text = option ?? /(?:^|\s)host0=(\S+)/.exec(kernelCommandLine)?.[1];
  if (text === undefined) {
    throw new MeshError('MESH_HOST0_UNKNOWN', 'this node does not know where host0 is', {
      remedy: `Name its underlay address: ${EXAMPLE} (several with commas), or host0=10.11.0.1 on the kernel command line.`,
    });
  }
  const source = option === undefined ? 'host0= on the kernel command line' : '--host0';
  const words = text.trim().split(/\s*,\s*|\s+/);
  return words.map((word) => host0Address(word, source));
}

function host0Address(word: string, source: string): Ipv4 {
  if (!isIpv4(word)) {
    throw new MeshError('MESH_HOST0_UNKNOWN', `${source}: ${JSON.stringify(word)} is ${kindOf(word)}`, {
      rule: 'host0 is reached at an IPv4 address of its own. Names and IPv6 addresses are not supported.',
      remedy: isName(word)
        ? `Give the address (\`getent ahostsv4 ${word}\` prints it), as in ${EXAMPLE}.`
        : `Give its IPv4 address, as in ${EXAMPLE}, or several with commas.`,
    });
  }
  const [first = 0] = word.split('.').map(Number);
  if (first === 0 || first === 127 || first >= 224) throw notOfHost0(word, source);
  return word;
}

function kindOf(word: string): string {
  if (word === '') return 'no address';
  if (isIpv6Text(word.replace(/^\[|\]$/g, ''))) return 'an IPv6 address';
  return isName(word) ? 'a name' : 'not an IPv4 address';
}

function isName(word: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(word) && /[A-Za-z]/.test(word);
}

/**
 * Refuses addresses of `--host0` that are those of this machine itself.
 * @param own all addresses of this machine
 * @throws MESH_HOST0_UNKNOWN
 */
export function requireOthers(addresses: readonly Ipv4[], own: readonly string[]): void {
  const mine = addresses.find((address) => own.includes(address));
  if (mine !== undefined) throw notOfHost0(mine, '--host0');
}

function notOfHost0(address: Ipv4, source: string): MeshError {
  return new MeshError('MESH_HOST0_UNKNOWN', `${source}: ${address} is not the address of another machine`, {
    object: address,
    rule: "host0 is another machine than a node. host0's own agent needs no address, and takes --on-host0.",
    remedy: `Give the address of host0 on the network that both are on, as in ${EXAMPLE}: \`ip -4 address\` on host0 prints it.`,
  });
}
