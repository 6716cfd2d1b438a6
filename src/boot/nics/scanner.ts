/** When host0 scans its ports: when it is asked, soon after a link has changed, and once more when switches have settled. */
import { isDeepStrictEqual } from 'node:util';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { ScanView } from '../../protocol/documents/boot-views.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { type BootNic, type NicLink, scanNics } from './boot-nic.ts';
import type { LinkAddress } from './nic-address.ts';
import { scan } from './scan.ts';

export interface ScannerInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly links: { readonly links: Iterable<NicLink>; readonly addresses: Iterable<LinkAddress> };
  readonly ports: () => readonly BootNic[];
  readonly joinGroups: readonly (readonly string[])[];
  readonly onScan: (view: ScanView) => void;
}

/** Cables are plugged one after the other, and links come up in steps. */
const SOON_MS = 300;
/** A switch that looks for loops passes nothing on for thirty seconds after a link came up (IEEE 802.1D). */
const SETTLED_MS = 35_000;

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

  /** Scans now, or waits for the scan that is under way. */
  scan(): Promise<ScanView> {
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  /** Scans in a moment, if a scan could find something else by now. @returns whether it could */
  linksChanged(): boolean {
    const boot = this.#input.ports();
    const ports = scanNics([...this.#input.links.links], boot);
    const picture = pictureOf(boot, ports);
    if (isDeepStrictEqual(picture, this.#picture)) return false;
    this.#picture = picture;
    this.soon();
    this.#later?.cancel();
    this.#later = this.#input.clock.after(SETTLED_MS, () => this.soon());
    return true;
  }

  /** One that is under way may not have seen what has changed: another follows it. */
  soon(): void {
    this.#soon?.cancel();
    this.#soon = this.#input.clock.after(SOON_MS, () => void this.#scanAnew());
  }

  /** Resolves when no scan is under way any more; its result is told to nobody. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#soon?.cancel();
    this.#later?.cancel();
    await this.#scanning?.catch(() => {});
  }

  async #scan(): Promise<ScanView> {
    const { links, joinGroups, onScan } = this.#input;
    const ports = scanNics([...links.links], this.#input.ports());
    const view = await scan({ ports, addresses: links.addresses, joinGroups });
    if (!this.#closed) onScan(view);
    return view;
  }

  async #scanAnew(): Promise<void> {
    try {
      await this.#scanning;
      if (!this.#closed) await this.scan();
    } catch (thrown) {
      const { code, message } = MeshError.from(thrown);
      this.#input.journal.record({ level: 'error', kind: 'scan failed', message, code });
    }
  }
}

/** All that the result of a scan depends on. */
function pictureOf(boot: readonly BootNic[], ports: ReturnType<typeof scanNics>) {
  return {
    boot: boot.map(({ index }) => index),
    ports: ports.map(({ index, name, mac, running, master }) => ({ index, name, mac, running, master })),
  };
}
