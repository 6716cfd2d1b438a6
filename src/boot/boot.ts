/**
 * host0's side of the segments that machines boot on: finds out which of its ports share one (scanner.ts), takes part in each
 * (segment.ts), and serves there what it may (serving.ts).
 */
import { join } from 'node:path';
import type { Host0Settings } from '../formats/host0/host0-conf.ts';
import type { Ipv4 } from '../model/address/ipv4.ts';
import type { Mac } from '../model/address/mac.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { Signal, type Subscribable } from '../model/signal.ts';
import type { UnderlayNic } from '../protocol/documents/assignment.ts';
import type { BootView, ScanView, WantedMode } from '../protocol/documents/boot-views.ts';
import { type Finding, findingOf } from '../protocol/documents/finding.ts';
import type { Journal } from '../protocol/journal/journal.ts';
import type { Installation } from './frames/host0-mark.ts';
import type { BootSighting } from './frames/sighting.ts';
import { type BootNic, bootNics, isServable, wantedMode } from './nics/boot-nic.ts';
import type { HostLinks } from './nics/host-links.ts';
import { installationAt } from './nics/installation.ts';
import { addressesOf, isGuestIn } from './nics/nic-address.ts';
import { Scanner } from './nics/scanner.ts';
import { type BootSegment, segmentFindings, segmentState, segmentView } from './segment/boot-segment.ts';
import { dryAnswer } from './segment/dry-answer.ts';
import { Leases } from './segment/leases.ts';
import { unfitFinding } from './segment/segment-note.ts';
import { leaseFile } from './segment/segment-service.ts';
import { SegmentWatch } from './segment/segment-watch.ts';
import { Serving } from './segment/serving.ts';
import type { BootEndpoint } from './site/boot-site.ts';
import type { SegmentState } from './timeline/boot-trouble.ts';

export interface BootInput {
  readonly settings: Host0Settings;
  /** `<state>/boot` */
  readonly directory: string;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly links: Pick<HostLinks, 'links' | 'addresses' | 'indexOf'>;
  /** What the agent should make of this machine's ports. */
  readonly setNics: (ports: readonly UnderlayNic[]) => void;
}

const WOULD_MAX = 50;

/** Where nothing is sent, nobody hears of it, and nothing is written. */
const NOBODY = '00000000' as Installation;

export class Boot {
  readonly #input: BootInput;
  readonly #sightings = new Signal<BootSighting>();
  readonly #endpointChanges = new Signal<void>();
  /** Emits what is seen of machines that boot, on any segment. */
  readonly sightings: Subscribable<BootSighting> = this.#sightings;
  /** Emits when `endpoints` may be others. */
  readonly endpointChanges: Subscribable<void> = this.#endpointChanges;
  readonly #installation: Installation;
  readonly #serving: Serving;
  readonly #scanner: Scanner;
  readonly #startedMs: number;
  #segments: readonly BootSegment[] = [];
  /** The first scan is through: what serves where no segment is may go. */
  #settled = false;
  #closed = false;

  private constructor(input: BootInput, installation: Installation, serving: Serving) {
    const { clock, journal, links, settings } = input;
    this.#input = input;
    this.#installation = installation;
    this.#serving = serving;
    this.#scanner = new Scanner({
      clock,
      journal,
      links,
      ports: () => this.#allNics(),
      joinGroups: settings.joinGroups,
      onScan: (view) => this.#takeUp(view),
    });
    this.#startedMs = clock.nowMs();
  }

  /** @throws MESH_DISK_REFUSED */
  static async open(input: BootInput): Promise<Boot> {
    const { directory, settings } = input;
    const [installation, serving] = await Promise.all([
      settings.boot === 'off' ? NOBODY : installationAt(join(directory, 'installation')),
      Serving.open(input),
    ]);
    const boot = new Boot(input, installation, serving);
    serving.tellNics(boot.#nics());
    boot.linksChanged();
    return boot;
  }

  /** Links or addresses have changed. Another carrier, device or bridge is looked into; it takes a moment. */
  linksChanged(): void {
    if (this.#closed || this.#input.settings.boot === 'off') return;
    if (this.#scanner.linksChanged()) this.#endLostSegments();
    for (const { watch } of this.#segments) watch.look();
    this.#serve();
  }

  /** Scans now, or waits for the scan that is under way. */
  scan(): Promise<ScanView> {
    return this.#scanner.scan();
  }

  /** Where machines that boot find host0: on each segment that it serves, its port and address. */
  get endpoints(): readonly BootEndpoint[] {
    if (this.#input.settings.boot !== 'auto') return [];
    return this.#segments.flatMap(({ watch, subnet, problem }) =>
      subnet === undefined || problem !== undefined ? [] : [{ device: watch.input.device, host0: subnet.ipv4 }],
    );
  }

  /** host0's ports, those on one segment together. */
  get groups(): readonly (readonly string[])[] {
    return this.#segments.map(({ nics }) => nics);
  }

  /** What host0 is on the segment of a port. */
  segmentStateOf(device: string): SegmentState {
    const segment = this.#segmentOf(device);
    if (segment !== undefined) return segmentState(segment, this.#around(segment));
    return { mode: 'off', why: this.#input.settings.boot === 'off' ? 'boot is off' : 'the port has no carrier' };
  }

  /** Whom our DHCP server gave an address; undefined where another gives them, too. */
  async leasedTo(device: string, ipv4: Ipv4): Promise<Mac | undefined> {
    const segment = this.#segmentOf(device);
    if (segment === undefined || this.segmentStateOf(device).mode !== 'server') return undefined;
    return (await segment.leases.read()).find((lease) => lease.ipv4 === ipv4)?.mac;
  }

  async view(): Promise<BootView> {
    const { settings, clock } = this.#input;
    const segments = this.#segments.map((segment) => segmentView(segment, { clock, ...this.#around(segment) }));
    return { boot: settings.boot, installation: this.#installation, segments: await Promise.all(segments) };
  }

  health(): readonly Finding[] {
    if (this.#input.settings.boot === 'off') return [];
    const { missing } = this.#serving;
    return [
      ...(missing === undefined ? [] : [findingOf(missing, { object: 'boot' })]),
      ...this.#allNics().flatMap(({ name }) => (isServable(name) ? [] : [unfitFinding(name)])),
      ...this.#segments.flatMap((segment) =>
        segmentFindings(segment, this.#around(segment), this.#serving.unmetWish(segment.nics)),
      ),
    ];
  }

  /** Ends what serves; machines that boot get no answer until host0 starts again. */
  async stopServices(): Promise<void> {
    await Promise.all([this.#leave(), this.#serving.stop()]);
  }

  /** Leaves what serves as it is, for the next life of this process. */
  async close(): Promise<void> {
    await Promise.all([this.#leave(), this.#serving.release()]);
  }

  async #leave(): Promise<void> {
    this.#closed = true;
    for (const segment of this.#segments) end(segment);
    this.#segments = [];
    await this.#scanner.close();
  }

  #segmentOf(device: string): BootSegment | undefined {
    return this.#segments.find(({ nics }) => nics.includes(device));
  }

  #around({ watch }: BootSegment) {
    return { dry: this.#input.settings.boot === 'dry', service: this.#serving.serviceOf(watch.input.device) };
  }

  #allNics(): BootNic[] {
    const { links, settings } = this.#input;
    return bootNics(links.links, links.addresses, settings.segmentNics);
  }

  #nics(): BootNic[] {
    return this.#allNics().filter(({ name }) => isServable(name));
  }

  /** A segment goes on while its port is in a group; of two that turn out to be one, the first goes on. */
  #takeUp({ groups }: ScanView): void {
    if (this.#input.settings.boot === 'off') return;
    const running = this.#nics().filter((port) => port.running);
    const before = new Set(this.#segments);
    const segments: BootSegment[] = [];
    for (const group of groups) {
      const able = running.filter(({ name }) => group.includes(name));
      if (able.length === 0) continue;
      const named = new Set(able.flatMap(({ names }) => names));
      const nics = group.filter((name) => named.has(name));
      const wanted = wantedMode([...named], this.#input.settings.bootModes);
      const known = [...before].find(({ watch: { input } }) =>
        able.some(({ index, name }) => index === input.link && name === input.device && wanted === input.wanted),
      );
      if (known !== undefined) before.delete(known);
      segments.push(known === undefined ? this.#begin(nics, this.#choose(able), wanted) : { ...known, nics });
    }
    for (const segment of before) end(segment);
    this.#segments = segments;
    this.#settled = true;
    for (const { watch } of segments) if (watch.state.mode !== 'off' && !watch.listens) watch.start();
    this.#serve();
  }

  /** The port with an address, or that had the subnet before; else the first. */
  #choose(able: readonly BootNic[]): BootNic {
    const [allocated] = this.#serving.allocationOf(able.map(({ name }) => name))?.ports ?? [];
    const chosen =
      able.find(({ name }) => name === allocated) ??
      able.find(({ name }) => addressesOf(this.#input.links, name).length > 0) ??
      able[0];
    if (chosen === undefined) throw new MeshError('MESH_INTERNAL', 'a segment without a port');
    return chosen;
  }

  #begin(nics: readonly string[], { name: device, index, mac }: BootNic, wanted: WantedMode): BootSegment {
    const { clock, journal, links, directory, settings } = this.#input;
    // Later, a process that still runs is one that is being ended.
    const serving = this.#settled ? undefined : this.#serving.serviceOf(device)?.running?.label;
    const leases = new Leases(leaseFile(directory, device), clock);
    const would: string[] = [];
    const watch: SegmentWatch = new SegmentWatch({
      device,
      link: index,
      mac,
      wanted,
      ...((serving === 'proxy' || serving === 'server') && { serving }),
      clock,
      journal,
      installation: this.#installation,
      ageMs: () => clock.nowMs() - this.#startedMs,
      dry: settings.boot === 'dry',
      ipv4: () => addressesOf(links, device)[0]?.ipv4,
      isGuestIn: (subnets) => isGuestIn(subnets, addressesOf(links, device), this.#serving.allocationOf([device])),
      onSighting: (sighting) => {
        leases.see(sighting);
        this.#sightings.emit(sighting);
        if (settings.boot === 'dry') this.#noteDry(watch, sighting, would);
      },
      onChange: () => this.#serve(),
      // Two groups are one after all: a probe got lost, or a switch had not passed it on yet.
      onOwnProbe: () => this.#scanner.soon(),
    });
    void leases.read();
    return { nics, watch, leases, would };
  }

  /** Whoever lost its carrier may be on another segment when it comes back. */
  #endLostSegments(): void {
    const alive = new Set(this.#nics().flatMap(({ index, running }) => (running ? [index] : [])));
    const lost = this.#segments.filter(({ watch }) => !alive.has(watch.input.link));
    for (const segment of lost) {
      end(segment);
      const { device: object } = segment.watch.input;
      this.#input.journal.record({ kind: 'segment lost', object, message: `${object}: no carrier, or gone` });
    }
    this.#segments = this.#segments.filter((segment) => !lost.includes(segment));
  }

  /** Makes of segments, ports and processes what the modes say. Cheap when nothing is to be done. */
  #serve(): void {
    if (this.#closed) return;
    this.#serving.serve(this.#segments);
    if (this.#settled) this.#serving.endOthers(this.#segments);
    this.#serving.tellNics(this.#nics());
    this.#endpointChanges.emit();
  }

  #noteDry(watch: SegmentWatch, sighting: BootSighting, would: string[]): void {
    const segment = this.#segments.find((candidate) => candidate.watch === watch);
    const { subnet } = segment ?? {};
    const answer = dryAnswer(sighting, watch.state.mode, subnet && { subnet: subnet.subnet, host0: subnet.ipv4 });
    if (answer === undefined) return;
    would.push(answer);
    if (would.length > WOULD_MAX) would.shift();
    this.#input.journal.record({ kind: 'would have answered', object: watch.input.device, message: answer });
  }
}

function end({ watch, leases }: BootSegment): void {
  watch.close();
  leases.close();
}
