/** Asks the dnsmasq of a network whether it answers, at the device behind which it is, and hears what it says to guests. */
import { isIpv6 } from '../../kernel/ip.ts';
import { ETHERTYPE, IP_PROTOCOL } from '../../kernel/sockets/ethernet.ts';
import { linkLocalOf, type NeighbourEnd } from '../../kernel/sockets/neighbour-frame.ts';
import type { FilterStep } from '../../kernel/sockets/packet-filter.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { isLinkLocal } from '../../model/address/ipv6.ts';
import { type Mac, macToBytes } from '../../model/address/mac.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { ServiceSpace } from '../items/space/service-space.ts';
import type { OpenEar } from './advertisement-ear.ts';
import {
  ANSWERS_FROM,
  answeredBy,
  DNS_ASKER_PORT,
  dhcp4Probe,
  dhcp6Probe,
  dnsProbe,
  introduction,
  type ProbedService,
} from './probe-frames.ts';

/** What an ear asks for, and how. */
export interface AnswerEarInput {
  /** The space with the server. */
  readonly space: Pick<ServiceSpace, 'mac' | 'addresses'>;
  /** The Ethernet address of the node's bridge, so that no other port of the bridge gets the answers. */
  readonly asker: Mac;
  /** The index of the device of the node behind which the space is. */
  readonly link: number;
  readonly kinds: readonly ProbedService[];
  /** The server's own IPv4 address. Absent: it gives no IPv4 addresses. */
  readonly ipv4?: Ipv4;
  readonly clock: Clock;
  readonly openEar: OpenEar;
  /** Called when a service is heard for the first time, or again after silence. */
  readonly onChange: () => void;
}

/** While a service has not been heard. */
const SOON_MS = 500;
/** While all are heard. Each question is a broadcast on this node. */
const SELDOM_MS = 30_000;
/** Two questions may get lost. */
const HEARD_MS = 75_000;

/** Keeps when each service was heard last. */
export class AnswerEar {
  readonly #input: AnswerEarInput;
  readonly #asker: NeighbourEnd;
  readonly #server: NeighbourEnd;
  readonly #socket: ReturnType<OpenEar> | undefined;
  readonly #heardAtMs = new Map<ProbedService, number>();
  #alarm: Alarm | undefined;
  #pid: number | undefined;
  /** The socket has failed, or could not be opened. */
  isDeaf = false;

  constructor(input: AnswerEarInput) {
    this.#input = input;
    const { link, space, asker, openEar } = input;
    const linkLocal = space.addresses.flatMap(({ address }) =>
      isIpv6(address) && isLinkLocal(address) ? [address] : [],
    );
    this.#server = { mac: space.mac, ipv6: linkLocal[0] ?? linkLocalOf(space.mac) };
    this.#asker = { mac: asker, ipv6: linkLocalOf(asker) };
    const onError = () => {
      this.isDeaf = true;
    };
    const onFrame = ({ bytes }: { readonly bytes: Buffer }) => {
      const service = answeredBy(bytes);
      if (service === undefined) return;
      const isNew = !this.#isHeard(service);
      this.#heardAtMs.set(service, input.clock.nowMs());
      if (isNew) input.onChange();
    };
    try {
      this.#socket = openEar({ link, filter: answersOf(space.mac), onFrame, onError });
      this.#ask();
    } catch {
      // The link has gone in this moment. The next look finds another one.
      this.isDeaf = true;
    }
  }

  /** Whether it listens to this space. @param link the index of the device now */
  isFor(space: AnswerEarInput['space'], link: number | undefined): boolean {
    return this.#input.space === space && this.#input.link === link;
  }

  /** Whether a service of this process was heard lately. */
  hears(service: ProbedService, pid: number): boolean {
    if (this.#pid !== pid) {
      // What was heard before says nothing of another process.
      this.#pid = pid;
      this.#heardAtMs.clear();
      this.#ask();
    }
    return this.#isHeard(service);
  }

  close(): void {
    this.#alarm?.cancel();
    this.#socket?.close();
  }

  #isHeard(service: ProbedService): boolean {
    const atMs = this.#heardAtMs.get(service);
    return atMs !== undefined && this.#input.clock.nowMs() - atMs < HEARD_MS;
  }

  #ask(): void {
    this.#alarm?.cancel();
    if (this.isDeaf) return;
    const { ipv4, kinds, clock } = this.#input;
    const [asker, server] = [this.#asker, this.#server];
    try {
      if (kinds.some((service) => service !== 'dhcp4')) this.#socket?.send(introduction(asker, server));
      for (const service of kinds) {
        if (service === 'dns') this.#socket?.send(dnsProbe(asker, server));
        else if (service === 'dhcp6') this.#socket?.send(dhcp6Probe(asker));
        else if (ipv4 !== undefined) this.#socket?.send(dhcp4Probe(asker.mac, ipv4));
      }
    } catch {
      // The device is down in this moment: the question is repeated.
    }
    const isComplete = kinds.every((service) => this.#isHeard(service));
    this.#alarm = clock.after(isComplete ? SELDOM_MS : SOON_MS, () => this.#ask());
  }
}

/**
 * The answers of the server: those of DHCP to all guests, and those of DNS to this ear alone. Guests may ask for thousands of names a
 * second, and the server may be a router with all its traffic.
 */
function answersOf(mac: Mac): readonly FilterStep[] {
  const sender = Buffer.from(macToBytes(mac));
  return [
    { load: 'word', offset: 6 },
    { equal: sender.readUInt32BE(0), no: 'other' },
    { load: 'half', offset: 10 },
    { equal: sender.readUInt16BE(4), no: 'other' },
    { load: 'half', offset: 12 },
    { equal: ETHERTYPE.ipv4, no: 'six' },
    { load: 'byte', offset: 23 },
    { equal: IP_PROTOCOL.udp, no: 'other' },
    { headerLength: 14 },
    { load: 'half', offset: 14, indexed: true },
    { equal: ANSWERS_FROM.dhcp4, yes: 'ours', no: 'other' },
    { at: 'six', equal: ETHERTYPE.ipv6, no: 'other' },
    { load: 'byte', offset: 20 },
    { equal: IP_PROTOCOL.udp, no: 'other' },
    { load: 'half', offset: 54 },
    { equal: ANSWERS_FROM.dhcp6, yes: 'ours' },
    { equal: ANSWERS_FROM.dns, no: 'other' },
    { load: 'half', offset: 56 },
    { equal: DNS_ASKER_PORT, no: 'other' },
    { at: 'ours', take: true },
    { at: 'other', take: false },
  ];
}
