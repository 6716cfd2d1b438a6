/** When host0 scans its NICs: on request, soon after a link has changed, and again when the switches have settled. */
import { isDeepStrictEqual } from 'node:util';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { ScanView } from '../../protocol/documents/boot-views.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { type BootNic, type NicLink, scanNics } from './boot-nic.ts';
import type { LinkAddress } from './nic-address.ts';
import { scan } from './scan.ts';

interface ScannerInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly links: { readonly links: Iterable<NicLink>; readonly addresses: Iterable<LinkAddress> };
  /** The NICs that machines may boot on, now. */
  readonly nics: () => readonly BootNic[];
  readonly joinGroups: readonly (readonly string[])[];
  /** Called with the result of each scan, until `close`. */
  readonly onScan: (view: ScanView) => void;
}

/** How long after a change the scan begins: people plug several cables in a row, and links come up in steps. */
const SOON_MS = 300;
/** When the second scan follows: a switch with spanning tree forwards nothing for 30 s after a link came up (IEEE 802.1D). */
const SETTLED_MS = 35_000;

/** Runs the scans of host0, never two at a time, and passes on their results. */
export class Scanner {
  readonly #input: ScannerInput;
  #picture: ReturnType<typeof pictureOf> | undefined;
  #scanning: Promise<ScanView> | undefined;
  #soon: Alarm | undefined;
  #later: Alarm | undefined;
  #closed = false;

  constructor(input: ScannerInput) {
    this.#input = input;
  }

  /** Scans now, or returns the result of the scan that is under way. */
  scan(): Promise<ScanView> {
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  /**
   * Plans a scan if NICs, carriers or bridges differ from the last call: one soon, and one when switches have settled.
   * @returns whether anything differs
   */
  linksChanged(): boolean {
    const boot = this.#input.nics();
    const nics = scanNics([...this.#input.links.links], boot);
    const picture = pictureOf(boot, nics);
    if (isDeepStrictEqual(picture, this.#picture)) return false;
    this.#picture = picture;
    this.soon();
    this.#later?.cancel();
    this.#later = this.#input.clock.after(SETTLED_MS, () => this.soon());
    return true;
  }

  /** Scans after `SOON_MS`. A scan that is under way then may have missed the change, so another one follows it. */
  soon(): void {
    this.#soon?.cancel();
    this.#soon = this.#input.clock.after(SOON_MS, () => void this.#scanAgain());
  }

  /** Resolves when the scan that is under way has ended. Its result is dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#soon?.cancel();
    this.#later?.cancel();
    await this.#scanning?.catch(() => {});
  }

  async #scan(): Promise<ScanView> {
    const { links, joinGroups, onScan } = this.#input;
    const nics = scanNics([...links.links], this.#input.nics());
    const view = await scan({ nics, addresses: links.addresses, joinGroups });
    if (!this.#closed) onScan(view);
    return view;
  }

  async #scanAgain(): Promise<void> {
    try {
      await this.#scanning;
      if (!this.#closed) await this.scan();
    } catch (thrown) {
      const { code, message } = MeshError.from(thrown);
      this.#input.journal.record({ level: 'error', kind: 'scan failed', message, code });
    }
  }
}

/** Everything on this host that the result of a scan depends on. */
function pictureOf(boot: readonly BootNic[], nics: ReturnType<typeof scanNics>) {
  return {
    boot: boot.map(({ index }) => index),
    nics: nics.map(({ index, name, mac, running, master }) => ({ index, name, mac, running, master })),
  };
}
