/** Hears the router advertisements of this node on the bridge of a network. */
import type { FilterStep } from '../../kernel/sockets/packet-filter.ts';
import { type Mac, macToBytes } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import type { MeshError } from '../../model/error.ts';
import type { RouterAdvertisement } from '../../protocol/documents/service/assigned-ra.ts';
import { isSameAdvertisement, readAdvertisement } from '../../services/radvd/advertisement-frame.ts';

/** Opens a packet socket on a link. */
export type OpenEar = (options: {
  /** Index of the link. */
  readonly link: number;
  readonly filter: readonly FilterStep[];
  readonly onFrame: (frame: { readonly bytes: Buffer }) => void;
  readonly onError: (error: MeshError) => void;
}) => { send(frame: Uint8Array): void; close(): void };

/** What an ear listens to. */
interface AdvertisementEarInput {
  readonly link: number;
  /** The Ethernet address of the router on this node. */
  readonly mac: Mac;
  readonly clock: Clock;
  readonly openEar: OpenEar;
  /** Called when another advertisement than before is heard, or the first one. */
  readonly onChange: () => void;
}

/** The lifetime of a router: after so long without an advertisement it is none any more. */
const HEARD_MS = 12_000;

/** Router advertisements of one sender: those of other routers do not wake this process. */
function advertisementsOf(mac: Mac): readonly FilterStep[] {
  const sender = Buffer.from(macToBytes(mac));
  return [
    { load: 'word', offset: 6 },
    { equal: sender.readUInt32BE(0), no: 'other' },
    { load: 'half', offset: 10 },
    { equal: sender.readUInt16BE(4), no: 'other' },
    { load: 'half', offset: 12 },
    { equal: 0x86dd, no: 'other' },
    { load: 'byte', offset: 20 },
    { equal: 58, no: 'other' },
    { load: 'byte', offset: 54 },
    { equal: 134, no: 'other' },
    { take: true },
    { at: 'other', take: false },
  ];
}

/** Keeps the last advertisement. */
export class AdvertisementEar {
  readonly link: number;
  readonly mac: Mac;
  readonly #clock: Clock;
  readonly #socket: { close(): void } | undefined;
  /** The socket has failed, or could not be opened. */
  isDeaf = false;
  #last: { readonly advertisement: RouterAdvertisement; readonly atMs: number } | undefined;

  constructor({ link, mac, clock, openEar, onChange }: AdvertisementEarInput) {
    this.link = link;
    this.mac = mac;
    this.#clock = clock;
    const onError = () => {
      this.isDeaf = true;
    };
    const onFrame = ({ bytes }: { readonly bytes: Buffer }) => {
      const heard = readAdvertisement(bytes);
      if (heard?.from !== mac) return;
      const before = this.heard;
      this.#last = { advertisement: heard.advertisement, atMs: clock.nowMs() };
      if (before === undefined || !isSameAdvertisement(before, heard.advertisement)) onChange();
    };
    try {
      this.#socket = openEar({ link, filter: advertisementsOf(mac), onFrame, onError });
    } catch {
      // The link has gone in this moment. The next look finds another one.
      this.isDeaf = true;
    }
  }

  /** The last advertisement, while the router is one by it. */
  get heard(): RouterAdvertisement | undefined {
    if (this.#last === undefined || this.#clock.nowMs() - this.#last.atMs > HEARD_MS) return undefined;
    return this.#last.advertisement;
  }

  close(): void {
    this.#socket?.close();
  }
}
