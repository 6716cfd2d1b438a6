/**
 * Source verification with host0's kernel. The kernel has resolved the sender's neighbour entry to answer the TCP
 * handshake, and the VXLAN device has learnt the FDB entry from packets of the request. The bridge has learnt whether the
 * packets came from the VXLAN at all: frames of a guest on host0 leave the VXLAN's entry as it was.
 *
 * A thousand members report every three seconds, so host0's mirror of the kernel answers.
 */
import type { SourceVerification, VerifiedSource } from '../../controller/membership/source-verification.ts';
import type { EntryQuestions } from '../../kernel/mirror/live-mirror.ts';
import { isIpv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Mesh } from '../../model/network/mesh.ts';

/** What is asked of the kernel; `LiveMirror` answers. */
export interface SourceQuestions extends EntryQuestions {
  /** The name of the link with this ifindex. */
  nameOf(index: number): string | undefined;
}

/** Finds out who is behind a mesh address. */
export class KernelSourceVerification implements SourceVerification {
  readonly #kernel: SourceQuestions;
  readonly #deviceOf: (network: Mesh) => string;

  /** @param deviceOf the device with host0's address in a mesh: its bridge, unless several machines can be host0 */
  constructor(kernel: SourceQuestions, deviceOf: (network: Mesh) => string = ({ bridge }) => bridge.name) {
    this.#kernel = kernel;
    this.#deviceOf = deviceOf;
  }

  async verify(network: Mesh, ipv6: Ipv6): Promise<VerifiedSource> {
    const { type } = network;
    const neighbour = await this.#kernel.neighbour(this.#deviceOf(network), ipv6);
    const mac = neighbour?.state === 'failed' ? undefined : neighbour?.mac;
    if (mac === undefined) return {};
    const [entry, localPort] = await Promise.all([
      this.#kernel.fdbEntry(type.device, mac, 'self'),
      this.#localPort(type.device, mac),
    ]);
    if (localPort !== undefined) return { mac, localPort };
    const ipv4 = entry?.remoteVtep;
    return ipv4 === undefined || !isIpv4(ipv4) ? { mac } : { mac, ipv4 };
  }

  /** The port of host0's bridge that the address is at, unless it is the VXLAN. */
  async #localPort(vxlan: string, mac: Mac): Promise<string | undefined> {
    const entry = await this.#kernel.fdbEntry(vxlan, mac, 'master');
    if (entry === undefined) return undefined;
    const port = this.#kernel.nameOf(entry.link) ?? `the device with index ${entry.link}`;
    return port === vxlan ? undefined : port;
  }
}
