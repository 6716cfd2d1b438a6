/** A bridge in a namespace of its own with two ports, to see which frames of one arrive at the other. */
import { type TemporaryNetns, temporaryNetns } from '../../src/kernel/netns.ts';
import { encodeEthernet } from '../../src/kernel/sockets/ethernet.ts';
import type { Mac } from '../../src/model/address/mac.ts';
import { framesOn } from './frames.ts';
import { carriesPackets, ip } from './namespaces.ts';

/** An Ethernet type for experiments (IEEE 802, clause 9.2.4). */
const EXPERIMENT = 0x88b5;

/** A frame of no protocol. @param number tells frames apart */
export function plainFrame(from: Mac, to: Mac, number = 0x01010101): Buffer {
  const body = Buffer.alloc(46, 1);
  body.writeUInt32BE(number, 6);
  return encodeEthernet({ from, to, type: EXPERIMENT }, body);
}

/** A limit of nft: so many frames a second, and so many at once. */
interface FrameLimit {
  readonly perSec: number;
  readonly burst: number;
}

/** A bridge with two ports: a guest's, and in the place of the VXLAN one to a far guest. */
export class GuardedBridge implements Disposable {
  readonly netns: TemporaryNetns = temporaryNetns();
  readonly #ends: readonly TemporaryNetns[] = [temporaryNetns(), temporaryNetns()];
  readonly #heard: Buffer[] = [];
  #wake: (() => void) | undefined;
  get guestEnd(): string {
    return this.#ends[0]?.path ?? '';
  }

  readonly guest: ReturnType<typeof framesOn>;
  readonly far: ReturnType<typeof framesOn>;
  readonly #last: (number: number) => Buffer;
  #sent = 0;

  /**
   * @param mac of the bridge
   * @param last a frame from the guest to the far end that is sent last, with a number in it
   */
  constructor(mac: Mac, last: (number: number) => Buffer) {
    this.#last = last;
    const [guest, far] = this.#ends.map(({ path }) => path);
    const { path } = this.netns;
    const port = (name: string, end: string | undefined) =>
      `link add ${name} master br456 type veth peer name eth0 netns ${end}`;
    ip(
      path,
      `link add br456 address ${mac} type bridge mcast_snooping 0`,
      port('tap0', guest),
      port('vxlan456', far),
      ...['br456', 'tap0', 'vxlan456'].flatMap((link) => [`link set ${link} addrgenmode none`, `link set ${link} up`]),
    );
    for (const end of [guest, far]) ip(end ?? '', 'link set eth0 addrgenmode none', 'link set eth0 up');
    for (const link of ['br456', 'tap0', 'vxlan456']) carriesPackets(path, link);
    this.guest = framesOn(guest ?? '', 'eth0');
    this.far = framesOn(far ?? '', 'eth0', (bytes) => {
      this.#heard.push(Buffer.from(bytes));
      this.#wake?.();
    });
  }

  /** Sends the frames from the guest. @returns how many of them arrive at the far end, before a frame that was sent later */
  async arrived(...frames: readonly Buffer[]): Promise<number> {
    this.#heard.length = 0;
    for (const frame of frames) this.guest.send(frame);
    const last = this.#last(++this.#sent);
    this.guest.send(last);
    await this.hears(last);
    return this.#heard.length - 1;
  }

  /**
   * Sends many frames, as `arrived`, through a limit.
   * @returns how many arrive, and how many may: the burst, and what the limit lets through in the time that this machine needs
   */
  async flood(frames: readonly Buffer[], limit: FrameLimit): Promise<{ arrived: number; allowed: number }> {
    const startMs = performance.now();
    const arrived = await this.arrived(...frames);
    const sec = (performance.now() - startMs) / 1000;
    return { arrived, allowed: Math.ceil(limit.burst + limit.perSec * sec) };
  }

  /** Resolves when the far end has this frame. */
  async hears(frame: Buffer): Promise<void> {
    for (let seen = 0; !this.#heard.slice(seen).some((bytes) => bytes.equals(frame)); ) {
      seen = this.#heard.length;
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('the last frame does not arrive')), 5_000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  [Symbol.dispose](): void {
    this.guest.close();
    this.far.close();
    for (const netns of [this.netns, ...this.#ends]) netns.close();
  }
}
