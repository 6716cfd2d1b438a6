/** The addresses that no port of this node may send from: those of all members that are not behind such a port. */
import { type Ipv6, ipv6FromBytes, ipv6ToBytes } from '../../model/address/ipv6.ts';
import type { Member, MemberAddresses } from '../../model/network/member.ts';
import { addressNumber } from './port-guard.ts';
import type { GuardedAddresses } from './ruleset-input.ts';

const LINK_LOCAL = [0xfe, 0x80, 0, 0, 0, 0, 0, 0];
const SUFFIX_BYTES = 8;

/** The guarded addresses of one network. A change costs a copy of the sets, and nothing for each other member. */
export class AddressGuard {
  readonly #own: GuardedAddresses;
  #macs: Set<string>;
  #ipv6s: Set<string>;
  /** The sets as they were read, until they change. */
  #given: GuardedAddresses | undefined;

  /** Guards this node's own addresses. */
  constructor({ bridgeMac, vtepMac, ipv6, linkLocal }: MemberAddresses) {
    this.#own = { macs: new Set([bridgeMac, vtepMac]), ipv6s: new Set([ipv6, linkLocal].map(addressNumber)) };
    this.#macs = new Set(this.#own.macs);
    this.#ipv6s = new Set(this.#own.ipv6s);
  }

  /** The present sets; they never change, and are the same ones until the next change. */
  get guarded(): GuardedAddresses {
    this.#given ??= { macs: this.#macs, ipv6s: this.#ipv6s };
    return this.#given;
  }

  /** Guards a member's addresses, its link-local one too. */
  add(member: Member): void {
    this.#beforeChange();
    this.#macs.add(member.mac);
    for (const number of numbersOf(member)) this.#ipv6s.add(number);
  }

  remove(member: Member): void {
    this.#beforeChange();
    if (!this.#own.macs.has(member.mac)) this.#macs.delete(member.mac);
    for (const number of numbersOf(member)) if (!this.#own.ipv6s.has(number)) this.#ipv6s.delete(number);
  }

  #beforeChange(): void {
    if (this.#given === undefined) return;
    this.#given = undefined;
    this.#macs = new Set(this.#macs);
    this.#ipv6s = new Set(this.#ipv6s);
  }
}

function numbersOf({ ipv6 }: Member): string[] {
  return [ipv6, linkLocalOf(ipv6)].map(addressNumber);
}

/** A member's link-local address has the same suffix as its address in the mesh. */
function linkLocalOf(ipv6: Ipv6): Ipv6 {
  return ipv6FromBytes(Uint8Array.from([...LINK_LOCAL, ...ipv6ToBytes(ipv6).slice(SUFFIX_BYTES)]));
}
