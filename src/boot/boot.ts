/**
 * host0's side of the wires that machines boot on: finds out which of its ports share one (scanner.ts), takes part in each
 * (wire.ts), and serves there what it may (serving.ts).
 */
import { join } from 'node:path';
import type { Host0Settings } from '../formats/host0/host0-conf.ts';
import type { Ipv4 } from '../model/address/ipv4.ts';
import type { Mac } from '../model/address/mac.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { Signal, type Subscribable } from '../model/signal.ts';
import type { UnderlayPort } from '../protocol/documents/assignment.ts';
import type { BootView, ScanView, WantedMode } from '../protocol/documents/boot-views.ts';
import { type Finding, findingOf } from '../protocol/documents/finding.ts';
import type { Journal } from '../protocol/journal/event.ts';
import type { Installation } from './frames/host0-mark.ts';
import type { BootSighting } from './frames/sighting.ts';
import { type BootPort, bootPorts, isServable, wantedMode } from './nics/boot-port.ts';
import type { HostLinks } from './nics/host-links.ts';
import { installationAt } from './nics/installation.ts';
import { addressesOf, isGuestIn } from './nics/port-address.ts';
import { Scanner } from './nics/scanner.ts';
import { type Place, placeFindings, placeState, placeView } from './segment/boot-place.ts';
import { dryAnswer } from './segment/dry-answer.ts';
import { Leases } from './segment/leases.ts';
import { Serving } from './segment/serving.ts';
import { Wire } from './segment/wire.ts';
import { unfitFinding } from './segment/wire-note.ts';
import { leaseFile } from './segment/wire-service.ts';
import type { BootEndpoint } from './site/boot-site.ts';
import type { WireState } from './timeline/boot-trouble.ts';

export interface BootInput {
  readonly settings: Host0Settings;
  /** `<state>/boot` */
  readonly directory: string;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly links: Pick<HostLinks, 'links' | 'addresses' | 'indexOf'>;
  /** What the agent should make of this machine's ports. */
  readonly setPorts: (ports: readonly UnderlayPort[]) => void;
}

const WOULD_MAX = 50;

/** Where nothing is sent, nobody hears of it, and nothing is written. */
const NOBODY = '00000000' as Installation;

export class Boot {
  readonly #input: BootInput;
  readonly #sightings = new Signal<BootSighting>();
  readonly #endpointChanges = new Signal<void>();
  /** Emits what is seen of machines that boot, on any wire. */
  readonly sightings: Subscribable<BootSighting> = this.#sightings;
  /** Emits when `endpoints` may be others. */
  readonly endpointChanges: Subscribable<void> = this.#endpointChanges;
  readonly #installation: Installation;
  readonly #serving: Serving;
  readonly #scanner: Scanner;
  readonly #startedMs: number;
  #places: readonly Place[] = [];
  /** The first scan is through: what serves where no wire is may go. */
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
      ports: () => this.#allPorts(),
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
    serving.tellPorts(boot.#ports());
    boot.linksChanged();
    return boot;
  }

  /** Links or addresses have changed. Another carrier, device or bridge is looked into; it takes a moment. */
  linksChanged(): void {
    if (this.#closed || this.#input.settings.boot === 'off') return;
    if (this.#scanner.linksChanged()) this.#endLostWires();
    for (const { wire } of this.#places) wire.look();
    this.#serve();
  }

  /** Scans now, or waits for the scan that is under way. */
  scan(): Promise<ScanView> {
    return this.#scanner.scan();
  }

  /** Where machines that boot find host0: on each wire that it serves, its port and address. */
  get endpoints(): readonly BootEndpoint[] {
    if (this.#input.settings.boot !== 'auto') return [];
    return this.#places.flatMap(({ wire, subnet, problem }) =>
      subnet === undefined || problem !== undefined ? [] : [{ device: wire.input.device, host0: subnet.ipv4 }],
    );
  }

  /** host0's ports, those on one wire together. */
  get groups(): readonly (readonly string[])[] {
    return this.#places.map(({ ports }) => ports);
  }

  /** What host0 is on the wire of a port. */
  wireOf(device: string): WireState {
    const place = this.#placeOf(device);
    if (place !== undefined) return placeState(place, this.#around(place));
    return { mode: 'off', why: this.#input.settings.boot === 'off' ? 'boot is off' : 'the port has no wire' };
  }

  /** Whom our DHCP server gave an address; undefined where another gives them, too. */
  async leasedTo(device: string, ipv4: Ipv4): Promise<Mac | undefined> {
    const place = this.#placeOf(device);
    if (place === undefined || this.wireOf(device).mode !== 'server') return undefined;
    return (await place.leases.read()).find((lease) => lease.ipv4 === ipv4)?.mac;
  }

  async view(): Promise<BootView> {
    const { settings, clock } = this.#input;
    const wires = this.#places.map((place) => placeView(place, { clock, ...this.#around(place) }));
    return { boot: settings.boot, installation: this.#installation, wires: await Promise.all(wires) };
  }

  health(): readonly Finding[] {
    if (this.#input.settings.boot === 'off') return [];
    const { missing } = this.#serving;
    return [
      ...(missing === undefined ? [] : [findingOf(missing, { object: 'boot' })]),
      ...this.#allPorts().flatMap(({ name }) => (isServable(name) ? [] : [unfitFinding(name)])),
      ...this.#places.flatMap((place) =>
        placeFindings(place, this.#around(place), this.#serving.unmetWish(place.ports)),
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
    for (const place of this.#places) end(place);
    this.#places = [];
    await this.#scanner.close();
  }

  #placeOf(device: string): Place | undefined {
    return this.#places.find(({ ports }) => ports.includes(device));
  }

  #around({ wire }: Place) {
    return { dry: this.#input.settings.boot === 'dry', service: this.#serving.serviceOf(wire.input.device) };
  }

  #allPorts(): BootPort[] {
    const { links, settings } = this.#input;
    return bootPorts(links.links, links.addresses, settings.segmentPorts);
  }

  #ports(): BootPort[] {
    return this.#allPorts().filter(({ name }) => isServable(name));
  }

  /** A wire goes on while its port is in a group; of two that turn out to be one, the first goes on. */
  #takeUp({ groups }: ScanView): void {
    if (this.#input.settings.boot === 'off') return;
    const running = this.#ports().filter((port) => port.running);
    const before = new Set(this.#places);
    const places: Place[] = [];
    for (const group of groups) {
      const able = running.filter(({ name }) => group.includes(name));
      if (able.length === 0) continue;
      const named = new Set(able.flatMap(({ names }) => names));
      const ports = group.filter((name) => named.has(name));
      const wanted = wantedMode([...named], this.#input.settings.bootModes);
      const known = [...before].find(({ wire: { input } }) =>
        able.some(({ index, name }) => index === input.link && name === input.device && wanted === input.wanted),
      );
      if (known !== undefined) before.delete(known);
      places.push(known === undefined ? this.#begin(ports, this.#choose(able), wanted) : { ...known, ports });
    }
    for (const place of before) end(place);
    this.#places = places;
    this.#settled = true;
    for (const { wire } of places) if (wire.state.mode !== 'off' && !wire.listens) wire.start();
    this.#serve();
  }

  /** The port with an address, or that had the subnet before; else the first. */
  #choose(able: readonly BootPort[]): BootPort {
    const [allocated] = this.#serving.allocationOf(able.map(({ name }) => name))?.ports ?? [];
    const chosen =
      able.find(({ name }) => name === allocated) ??
      able.find(({ name }) => addressesOf(this.#input.links, name).length > 0) ??
      able[0];
    if (chosen === undefined) throw new MeshError('MESH_INTERNAL', 'a wire without a port');
    return chosen;
  }

  #begin(ports: readonly string[], { name: device, index, mac }: BootPort, wanted: WantedMode): Place {
    const { clock, journal, links, directory, settings } = this.#input;
    // Later, a process that still runs is one that is being ended.
    const serving = this.#settled ? undefined : this.#serving.serviceOf(device)?.running?.label;
    const leases = new Leases(leaseFile(directory, device), clock);
    const would: string[] = [];
    const wire: Wire = new Wire({
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
        if (settings.boot === 'dry') this.#noteDry(wire, sighting, would);
      },
      onChange: () => this.#serve(),
      // Two groups are one after all: a probe got lost, or a switch had not passed it on yet.
      onOwnProbe: () => this.#scanner.soon(),
    });
    void leases.read();
    return { ports, wire, leases, would };
  }

  /** Whoever lost its carrier may be on another wire when it comes back. */
  #endLostWires(): void {
    const alive = new Set(this.#ports().flatMap(({ index, running }) => (running ? [index] : [])));
    const lost = this.#places.filter(({ wire }) => !alive.has(wire.input.link));
    for (const place of lost) {
      end(place);
      const { device: object } = place.wire.input;
      this.#input.journal.record({ kind: 'wire lost', object, message: `${object}: no carrier, or gone` });
    }
    this.#places = this.#places.filter((place) => !lost.includes(place));
  }

  /** Makes of wires, ports and processes what the modes say. Cheap when nothing is to be done. */
  #serve(): void {
    if (this.#closed) return;
    this.#serving.serve(this.#places);
    if (this.#settled) this.#serving.endOthers(this.#places);
    this.#serving.tellPorts(this.#ports());
    this.#endpointChanges.emit();
  }

  #noteDry(wire: Wire, sighting: BootSighting, would: string[]): void {
    const place = this.#places.find((candidate) => candidate.wire === wire);
    const { subnet } = place ?? {};
    const answer = dryAnswer(sighting, wire.state.mode, subnet && { subnet: subnet.subnet, host0: subnet.ipv4 });
    if (answer === undefined) return;
    would.push(answer);
    if (would.length > WOULD_MAX) would.shift();
    this.#input.journal.record({ kind: 'would have answered', object: wire.input.device, message: answer });
  }
}

function end({ wire, leases }: Place): void {
  wire.close();
  leases.close();
}
