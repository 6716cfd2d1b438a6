/**
 * host0's side of the segments that machines boot on. It groups host0's NICs into segments (scanner.ts), watches each segment
 * for other servers (segment-watch.ts), and runs the services that are allowed there (serving.ts).
 */

import { join } from 'node:path';
import type { Host0Settings } from '../formats/host0/host0-conf.ts';
import type { LiveMirror } from '../kernel/mirror/live-mirror.ts';
import type { Ipv4 } from '../model/address/ipv4.ts';
import type { Mac } from '../model/address/mac.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { Signal, type Subscribable } from '../model/signal.ts';
import type { UnderlayNic } from '../protocol/documents/assignment.ts';
import type { BootView, ScanView, WantedMode } from '../protocol/documents/boot-views.ts';
import { type Finding, findingOf } from '../protocol/documents/finding.ts';
import type { Journal } from '../protocol/journal/journal.ts';
import type { Store } from '../store/store.ts';
import type { Installation } from './frames/host0-mark.ts';
import type { BootSighting } from './frames/sighting.ts';
import { type BootNic, bootNics, isServable, unnamedMode, wantedMode } from './nics/boot-nic.ts';
import { installationAt } from './nics/installation.ts';
import { addressesOf, isGuestIn } from './nics/nic-address.ts';
import { Scanner } from './nics/scanner.ts';
import { type BootSegment, segmentFindings, segmentState, segmentView } from './segment/boot-segment.ts';
import { dryAnswer } from './segment/dry-answer.ts';
import { Leases } from './segment/leases.ts';
import { SegmentMemory } from './segment/segment-memory.ts';
import { unfitFinding } from './segment/segment-note.ts';
import { leaseFile } from './segment/segment-service.ts';
import { SegmentWatch } from './segment/segment-watch.ts';
import { Serving } from './segment/serving.ts';
import type { BootEndpoint } from './site/boot-site.ts';
import type { SegmentState } from './timeline/boot-trouble.ts';

/** What `BootSegments` works with.  */
export interface BootSegmentsInput {
  readonly settings: Host0Settings;
  /** `<state>/boot`: installation id, subnets, and dnsmasq's files. */
  readonly directory: string;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly store: Store;
  readonly links: Pick<LiveMirror, 'links' | 'addresses' | 'indexOf'>;
  /** Called with the NICs that host0's agent should set up, and with the addresses that it should put on them. */
  readonly setNics: (nics: readonly UnderlayNic[]) => void;
}

/** How many answers each segment keeps in dry mode; the oldest are dropped. */
const DRY_ANSWERS_MAX = 50;

/** With `boot=off` no probe is sent, so no installation id is created on disk. */
const NO_INSTALLATION = '00000000' as Installation;

/** All boot segments of host0: scans for them, keeps a `BootSegment` for each group of NICs, and reports on them. */
export class BootSegments {
  readonly #input: BootSegmentsInput;
  readonly #sightings = new Signal<BootSighting>();
  readonly #endpointChanges = new Signal<void>();
  /** Emits each DHCP and TFTP packet that is seen on any segment, decoded. */
  readonly sightings: Subscribable<BootSighting> = this.#sightings;
  /** Emits when `endpoints` may have changed. */
  readonly endpointChanges: Subscribable<void> = this.#endpointChanges;
  readonly #installation: Installation;
  readonly #serving: Serving;
  readonly #memory: SegmentMemory;
  readonly #scanner: Scanner;
  readonly #startedMs: number;
  #segments: readonly BootSegment[] = [];
  /** Since when host0 listens on the segment of each NIC, by ifindex. A NIC without a carrier is not in it. */
  readonly #heardSinceMs = new Map<number, number>();
  /** The first scan is over. Services of an earlier process that belong to no segment are stopped only from then on. */
  #settled = false;
  #closed = false;

  private constructor(input: BootSegmentsInput, installation: Installation, serving: Serving, memory: SegmentMemory) {
    const { clock, journal, links, settings } = input;
    this.#input = input;
    this.#installation = installation;
    this.#serving = serving;
    this.#memory = memory;
    this.#scanner = new Scanner({
      clock,
      journal,
      links,
      nics: () => this.#allNics(),
      joinGroups: settings.joinGroups,
      onScan: (view) => this.#applyScan(view),
    });
    this.#startedMs = clock.nowMs();
  }

  /** Adopts the dnsmasq processes of an earlier host0 process, and plans the first scan. @throws MESH_DISK_REFUSED */
  static async open(input: BootSegmentsInput): Promise<BootSegments> {
    const { directory, settings } = input;
    const [installation, serving, memory] = await Promise.all([
      settings.boot === 'off' ? NO_INSTALLATION : installationAt(join(directory, 'installation')),
      Serving.open(input),
      SegmentMemory.open(join(directory, 'servers.json')),
    ]);
    const opened = new BootSegments(input, installation, serving, memory);
    serving.tellNics(opened.#nics());
    opened.linksChanged();
    return opened;
  }

  /** To be called when links or addresses have changed. If a carrier, device or bridge differs, a scan follows soon. */
  linksChanged(): void {
    if (this.#closed || this.#input.settings.boot === 'off') return;
    if (this.#scanner.linksChanged()) this.#endLostSegments();
    for (const { watch } of this.#segments) watch.look();
    this.#serve();
  }

  /** Scans now, or returns the result of the scan that is under way. */
  scan(): Promise<ScanView> {
    return this.#scanner.scan();
  }

  /** Where host0's HTTP server for booting machines listens: host0's NIC and address on each segment that it serves. */
  get endpoints(): readonly BootEndpoint[] {
    if (this.#input.settings.boot !== 'auto') return [];
    return this.#segments.flatMap(({ watch, subnet, problem }) =>
      subnet === undefined || problem !== undefined ? [] : [{ device: watch.input.device, host0: subnet.ipv4 }],
    );
  }

  /** The names of host0's NICs that have a carrier, one array for each segment. */
  get groups(): readonly (readonly string[])[] {
    return this.#segments.map(({ nics }) => nics);
  }

  /** The mode of the segment that a NIC is on, with the reason; `off` for a NIC that is on no segment. */
  segmentStateOf(device: string): SegmentState {
    const segment = this.#segmentOf(device);
    if (segment !== undefined)
      return segmentState(segment, { clock: this.#input.clock, ...this.#surroundingsOf(segment) });
    return { mode: 'off', why: this.#input.settings.boot === 'off' ? 'boot is off' : 'the NIC has no carrier' };
  }

  /** The MAC to which host0 leased an address. Undefined, too, on segments where another server gives addresses. */
  async leasedTo(device: string, ipv4: Ipv4): Promise<Mac | undefined> {
    const segment = this.#segmentOf(device);
    if (segment === undefined || this.segmentStateOf(device).mode !== 'server') return undefined;
    return (await segment.leases.read()).find((lease) => lease.ipv4 === ipv4)?.mac;
  }

  /** The document of `GET /v1/boot`. */
  async view(): Promise<BootView> {
    const { settings, clock } = this.#input;
    const segments = this.#segments.map((segment) => segmentView(segment, { clock, ...this.#surroundingsOf(segment) }));
    return { boot: settings.boot, installation: this.#installation, segments: await Promise.all(segments) };
  }

  /** What is wrong on the boot segments, and with the boot loaders. Empty with `boot=off`. */
  health(): readonly Finding[] {
    if (this.#input.settings.boot === 'off') return [];
    const { missing } = this.#serving;
    return [
      ...(missing === undefined ? [] : [findingOf(missing, { object: 'boot' })]),
      ...this.#serving.bookFindings,
      ...this.#memory.health(),
      ...this.#allNics().flatMap(({ name }) => (isServable(name) ? [] : [unfitFinding(name)])),
      ...this.#segments.flatMap((segment) =>
        segmentFindings(segment, this.#surroundingsOf(segment), this.#serving.unmetWish(segment.nics)),
      ),
    ];
  }

  /** Stops the dnsmasq processes, too: booting machines get no answer until host0 starts again. */
  async stopServices(): Promise<void> {
    await Promise.all([this.#leave(), this.#serving.stop()]);
  }

  /** Leaves the dnsmasq processes running; the next host0 process adopts them. */
  async close(): Promise<void> {
    await Promise.all([this.#leave(), this.#serving.release()]);
  }

  async #leave(): Promise<void> {
    this.#closed = true;
    for (const segment of this.#segments) end(segment);
    this.#segments = [];
    await Promise.all([this.#scanner.close(), this.#memory.saved()]);
  }

  #segmentOf(device: string): BootSegment | undefined {
    return this.#segments.find(({ nics }) => nics.includes(device));
  }

  #surroundingsOf({ watch }: BootSegment) {
    const { device } = watch.input;
    const [service, giver] = [this.#serving.serviceOf(device), this.#serving.giverOf(device)];
    return { dry: this.#input.settings.boot === 'dry', service, giver };
  }

  /** All NICs that machines may boot on, also those whose name dnsmasq cannot take. */
  #allNics(): BootNic[] {
    const { links, settings } = this.#input;
    return bootNics(links.links, links.addresses, settings.segmentNics);
  }

  /** The NICs that can be served. */
  #nics(): BootNic[] {
    return this.#allNics().filter(({ name }) => isServable(name));
  }

  /**
   * Makes the segments match the groups of a scan. A segment is kept while its NIC is in a group. When two segments turn out to
   * be one, the first is kept.
   */
  #applyScan({ groups }: ScanView): void {
    if (this.#input.settings.boot === 'off') return;
    const running = this.#nics().filter((nic) => nic.running);
    const before = new Set(this.#segments);
    const segments: BootSegment[] = [];
    for (const group of groups) {
      const candidates = running.filter(({ name }) => group.includes(name));
      if (candidates.length === 0) continue;
      const named = new Set(candidates.flatMap(({ names }) => names));
      const nics = group.filter((name) => named.has(name));
      const wanted = this.#wantedMode([...named]);
      const known = [...before].find(({ watch: { input } }) =>
        candidates.some(({ index, name }) => index === input.link && name === input.device && wanted === input.wanted),
      );
      if (known !== undefined) before.delete(known);
      segments.push(
        known === undefined ? this.#startSegment(nics, this.#chooseNic(candidates), wanted) : { ...known, nics },
      );
    }
    for (const segment of before) end(segment);
    this.#segments = segments;
    this.#settled = true;
    for (const { watch } of segments) if (watch.state.mode !== 'off' && !watch.listens) watch.start();
    this.#noteHearing(running);
    this.#serve();
  }

  /** The mode that the settings want for a segment. A segment that host0 has served before keeps its mode, whatever is absent. */
  #wantedMode(names: readonly string[]): WantedMode {
    const { settings, links } = this.#input;
    const isServed =
      this.#serving.allocationOf(names) !== undefined ||
      names.some((name) => this.#serving.serviceOf(name)?.running !== undefined);
    const unnamed = isServed ? 'auto' : unnamedMode(settings.bootModes, links.links);
    return wantedMode(names, settings.bootModes, unnamed);
  }

  /** Notes on which NICs host0 began to listen to their segment: through one NIC, host0 hears the segment of all in a group. */
  #noteHearing(running: readonly BootNic[]): void {
    const heard = new Set(this.#segments.flatMap(({ nics, watch }) => (watch.listens ? nics : [])));
    const now = running.filter(({ names }) => names.some((name) => heard.has(name)));
    for (const { index } of now) {
      if (!this.#heardSinceMs.has(index)) this.#heardSinceMs.set(index, this.#input.clock.nowMs());
    }
  }

  /** Which NIC serves a segment: the one that had the subnet before, else one with an address, else the first. */
  #chooseNic(candidates: readonly BootNic[]): BootNic {
    const [allocated] = this.#serving.allocationOf(candidates.map(({ name }) => name))?.ports ?? [];
    const chosen =
      candidates.find(({ name }) => name === allocated) ??
      candidates.find(({ name }) => addressesOf(this.#input.links, name).length > 0) ??
      candidates[0];
    if (chosen === undefined) throw new MeshError('MESH_INTERNAL', 'a segment without a NIC');
    return chosen;
  }

  #startSegment(nics: readonly string[], { name: device, index, mac }: BootNic, wanted: WantedMode): BootSegment {
    const { clock, journal, links, directory, settings } = this.#input;
    // Only before the first scan: a process that still runs after it is being stopped, and its mode must not be taken over.
    const serving = this.#settled ? undefined : this.#serving.serviceOf(device)?.running?.label;
    const heardSinceMs = this.#heardSinceMs.get(index) ?? clock.nowMs();
    const leases = new Leases(leaseFile(directory, device), clock);
    const dryAnswers: string[] = [];
    const watch: SegmentWatch = new SegmentWatch({
      device,
      link: index,
      mac,
      wanted,
      known: {
        settlesMs: heardSinceMs + settings.portSettleSec * 1000,
        ...((serving === 'proxy' || serving === 'server') && { serving }),
        // A carrier that was lost may be of another segment now. Only over a restart the servers are remembered.
        ...(!this.#settled && { servers: this.#memory.serversOn(nics) }),
      },
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
        if (sighting.kind === 'dhcp') this.#serving.giverOf(device)?.see(sighting);
        if (settings.boot === 'dry') this.#noteDryAnswer(watch, sighting, dryAnswers);
      },
      onQuestion: (machine, message) => this.#serving.giverOf(device)?.asked(machine, message),
      onArpReply: (holder) => this.#serving.giverOf(device)?.hear(holder),
      onChange: () => {
        this.#memory.note(device, watch.state);
        this.#serve();
      },
      // Two groups are one segment after all: a scan probe got lost, or a switch did not forward it yet.
      onOwnProbe: () => this.#scanner.soon(),
    });
    void leases.read();
    return { nics, watch, leases, dryAnswers };
  }

  /** Ends the segments whose NIC has lost its carrier: when the carrier returns, the NIC may be on another segment. */
  #endLostSegments(): void {
    const alive = new Set(this.#nics().flatMap(({ index, running }) => (running ? [index] : [])));
    for (const index of this.#heardSinceMs.keys()) if (!alive.has(index)) this.#heardSinceMs.delete(index);
    const lost = this.#segments.filter(({ watch }) => !alive.has(watch.input.link));
    for (const segment of lost) {
      end(segment);
      const { device: object } = segment.watch.input;
      this.#input.journal.record({ kind: 'segment lost', object, message: `${object}: no carrier, or gone` });
    }
    this.#segments = this.#segments.filter((segment) => !lost.includes(segment));
  }

  /** Brings subnets, NICs and dnsmasq processes in line with the modes of the segments. Cheap when nothing has changed. */
  #serve(): void {
    if (this.#closed) return;
    this.#serving.serve(this.#segments);
    if (this.#settled) this.#serving.endOthers(this.#segments);
    this.#serving.tellNics(this.#nics());
    this.#endpointChanges.emit();
  }

  #noteDryAnswer(watch: SegmentWatch, sighting: BootSighting, dryAnswers: string[]): void {
    const segment = this.#segments.find((candidate) => candidate.watch === watch);
    const { subnet } = segment ?? {};
    const answer = dryAnswer(sighting, watch.state.mode, subnet && { subnet: subnet.subnet, host0: subnet.ipv4 });
    if (answer === undefined) return;
    dryAnswers.push(answer);
    if (dryAnswers.length > DRY_ANSWERS_MAX) dryAnswers.shift();
    this.#input.journal.record({ kind: 'would have answered', object: watch.input.device, message: answer });
  }
}

function end({ watch, leases }: BootSegment): void {
  watch.close();
  leases.close();
}
