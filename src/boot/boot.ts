/**
 * host0's side of the wires that machines boot on: scans which ports share one, takes part in each (wire.ts), gives wires
 * their subnets, and keeps dnsmasq as the modes say. Kernel state is the agent's: addresses are told to `setPorts`.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host0Settings } from '../formats/host0-conf.ts';
import type { Alarm, Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { type Ipv4, type Ipv4Cidr, ipv4Length, ipv4Subnet } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { UnderlayPort } from '../protocol/assignment.ts';
import type { BootView, ScanView, SubnetView } from '../protocol/boot-views.ts';
import type { Journal } from '../protocol/event.ts';
import type { HealthFinding } from '../protocol/views.ts';
import { Service } from '../services/service.ts';
import { type BootFiles, provideBootFiles } from './boot-files.ts';
import { foreignSubnets } from './boot-mode.ts';
import { leasesOf, type Place, placeFindings, placeView } from './boot-place.ts';
import { type BootLink, isBootPort, isServable, scanPorts, wantedMode } from './boot-port.ts';
import type { BootDoor } from './boot-site.ts';
import type { WireState } from './boot-trouble.ts';
import { dryAnswer } from './dry-answer.ts';
import type { HostLinks } from './host-links.ts';
import type { Installation } from './host0-mark.ts';
import { installationAt } from './installation.ts';
import { addressesOf, isGuestIn, type PortAddress, subnetsHere } from './port-address.ts';
import { scan } from './scan.ts';
import type { BootSighting } from './sighting.ts';
import { host0AddressIn, SubnetBook } from './subnet-book.ts';
import { Wire } from './wire.ts';
import { findingFor, unfitFinding } from './wire-note.ts';
import { guestAddress, noGuestAddress, serviceSpec, subnetOf } from './wire-service.ts';

export interface BootInput {
  readonly settings: Host0Settings;
  /** `<state>/boot` */
  readonly directory: string;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly links: Pick<HostLinks, 'links' | 'addresses' | 'indexOf'>;
  /** What the agent should make of this machine's ports. */
  readonly setPorts: (ports: readonly UnderlayPort[]) => void;
  readonly onSighting: (sighting: BootSighting) => void;
  /** Where machines find host0 may have changed: see `doors`. */
  readonly onDoors: () => void;
}

/** Cables are plugged one after the other, and links come up in steps. */
const SCAN_DELAY_MS = 300;
/** A switch that looks for loops passes nothing on for thirty seconds after a link came up (IEEE 802.1D). */
const SECOND_SCAN_MS = 35_000;
const WOULD_MAX = 50;
const SERVICE_FILES = /^dnsmasq-(.+)\.process\.json$/;

/** Where nothing is sent, nobody hears of it, and nothing is written. */
const NOBODY = '00000000' as Installation;

export class Boot {
  readonly #input: BootInput;
  readonly #installation: Installation;
  readonly #book: SubnetBook;
  readonly #files: BootFiles;
  readonly #startedMs: number;
  readonly #services = new Map<string, Service>();
  #places: readonly Place[] = [];
  #scanned: string | undefined;
  /** The first scan is through: what serves where no wire is may go. */
  #settled = false;
  #scanning: Promise<ScanView> | undefined;
  #soon: Alarm | undefined;
  #later: Alarm | undefined;
  #closed = false;

  private constructor(input: BootInput, installation: Installation, book: SubnetBook, files: BootFiles) {
    this.#input = input;
    this.#installation = installation;
    this.#book = book;
    this.#files = files;
    this.#startedMs = input.clock.nowMs();
  }

  /** @throws MESH_DISK_REFUSED */
  static async open(input: BootInput): Promise<Boot> {
    const { directory, settings } = input;
    const { subnetPool: pools, defaultSubnetSize: defaultLength, manualSubnets: wishes } = settings;
    const [installation, book, files] = await Promise.all([
      settings.boot === 'off' ? NOBODY : installationAt(join(directory, 'installation')),
      SubnetBook.open(join(directory, 'subnets.json'), { pools, defaultLength, wishes }),
      settings.boot === 'off' ? { root: '' } : provideBootFiles(join(directory, 'tftp')),
    ]);
    const boot = new Boot(input, installation, book, files);
    await boot.#findServices();
    boot.#tellPorts();
    boot.linksChanged();
    return boot;
  }

  /** Links or addresses have changed. Another carrier, device or bridge is looked into; it takes a moment. */
  linksChanged(): void {
    if (this.#closed || this.#input.settings.boot === 'off') return;
    const picture = this.#picture();
    if (picture !== this.#scanned) {
      this.#scanned = picture;
      this.#endLostWires();
      this.#later?.cancel();
      this.#scanSoon();
      this.#later = this.#input.clock.after(SECOND_SCAN_MS, () => this.#scanSoon());
    }
    for (const { wire } of this.#places) wire.look();
    this.#serve();
  }

  /** Scans now, or waits for the scan that is under way. */
  scan(): Promise<ScanView> {
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  /** host0's address for the machines on the wire of a port: where their boot files and scripts come from. */
  addressOf(device: string): Ipv4 | undefined {
    return this.#places.find(({ ports }) => ports.includes(device))?.subnet?.ipv4;
  }

  /** Where machines that boot find host0: on each wire that it serves, its port and address. */
  get doors(): readonly BootDoor[] {
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
    const { boot } = this.#input.settings;
    const place = this.#places.find(({ ports }) => ports.includes(device));
    const state = place?.wire.state;
    if (place?.problem !== undefined) {
      const { message, remedy } = place.problem;
      return { mode: 'observe', why: message, ...(remedy !== undefined && { remedy }) };
    }
    if (state === undefined) return { mode: 'off', why: boot === 'off' ? 'boot is off' : 'the port has no wire' };
    return { mode: boot === 'dry' ? 'dry' : state.mode, why: state.reason };
  }

  /** Whom our DHCP server gave an address; undefined where another gives them, too. */
  async leasedTo(device: string, ipv4: Ipv4): Promise<Mac | undefined> {
    if (this.wireOf(device).mode !== 'server') return undefined;
    const { directory, clock } = this.#input;
    return (await leasesOf(device, directory, clock)).find((lease) => lease.ipv4 === ipv4)?.mac;
  }

  async view(): Promise<BootView> {
    const { settings, clock, directory } = this.#input;
    const around = { clock, directory, dry: settings.boot === 'dry' };
    const wires = await Promise.all(
      this.#places.map((place) => placeView(place, this.#services.get(place.wire.input.device), around)),
    );
    return { boot: settings.boot, installation: this.#installation, wires };
  }

  health(): readonly HealthFinding[] {
    const findings = this.#places.flatMap((place) =>
      placeFindings(place, this.#services.get(place.wire.input.device)?.error, this.#book.unmetWish(place.ports)),
    );
    const { links, settings } = this.#input;
    if (settings.boot === 'off') return [];
    const unfit = [...links.links].filter((link) => isBootPort(link, settings.segmentPorts) && !isServable(link.name));
    return [
      ...(this.#files.missing === undefined ? [] : [findingFor('boot', this.#files.missing)]),
      ...unfit.map(({ name }) => unfitFinding(name)),
      ...findings,
    ];
  }

  /** Ends what serves; machines that boot get no answer until host0 starts again. */
  async stopServices(): Promise<void> {
    this.#leave();
    await Promise.all([...this.#services.values()].map((service) => service.stop()));
  }

  /** Leaves what serves as it is, for the next life of this process. */
  async close(): Promise<void> {
    this.#leave();
    await Promise.all([...this.#services.values()].map((service) => service.release()));
    await this.#scanning?.catch(() => {});
    await this.#book.saved().catch(() => {});
  }

  #leave(): void {
    this.#closed = true;
    this.#soon?.cancel();
    this.#later?.cancel();
    for (const { wire } of this.#places) wire.close();
    this.#places = [];
  }

  /** What an earlier life left running: to be taken over, or ended where it is not wanted any more. */
  async #findServices(): Promise<void> {
    const { directory, settings } = this.#input;
    const names = await readdir(directory).catch(() => []);
    const devices = names.flatMap((name) => SERVICE_FILES.exec(name)?.[1] ?? []);
    for (const device of devices) this.#serviceOf(device);
    if (settings.boot === 'auto') return;
    await Promise.all([...this.#services.values()].map((service) => service.stop()));
  }

  #serviceOf(device: string): Service {
    const { directory, clock, journal } = this.#input;
    const service = this.#services.get(device) ?? new Service({ name: `dnsmasq-${device}`, directory, clock, journal });
    this.#services.set(device, service);
    return service;
  }

  #bootLinks(): BootLink[] {
    const { links, settings } = this.#input;
    return [...links.links].filter((link) => isBootPort(link, settings.segmentPorts) && isServable(link.name));
  }

  /** All that a scan's result depends on. */
  #picture(): string {
    const { links, settings } = this.#input;
    const ports = scanPorts([...links.links], settings.segmentPorts);
    return JSON.stringify(ports.map(({ index, name, mac, running, master }) => [index, name, mac, running, master]));
  }

  async #scan(): Promise<ScanView> {
    const { links, settings } = this.#input;
    const ports = scanPorts([...links.links], settings.segmentPorts);
    const view = await scan(ports, links.addresses);
    if (!this.#closed && settings.boot !== 'off') this.#takeUp(view);
    return view;
  }

  /** A wire goes on while its port is in a group; of two that turn out to be one, the first goes on. */
  #takeUp({ groups }: ScanView): void {
    const fit = new Map(this.#bootLinks().map((link) => [link.name, link]));
    const before = new Set(this.#places);
    const places: Place[] = [];
    for (const ports of groups) {
      const able = ports.flatMap((name) => fit.get(name) ?? []).filter(({ running }) => running);
      if (able.length === 0) continue;
      const names = able.map(({ name }) => name);
      const wanted = wantedMode(names, this.#input.settings.bootModes);
      const known = [...before].find(({ wire: { input } }) =>
        able.some(({ index, name }) => index === input.link && name === input.device && wanted === input.wanted),
      );
      if (known !== undefined) before.delete(known);
      places.push(known === undefined ? this.#begin(names, this.#choose(able), wanted) : { ...known, ports: names });
    }
    for (const { wire } of before) wire.close();
    this.#places = places;
    this.#settled = true;
    for (const { wire } of places) if (wire.state.mode !== 'off' && !wire.listens) wire.start();
    this.#serve();
  }

  /** The port with an address, or that had the subnet before; else the first. */
  #choose(able: readonly BootLink[]): BootLink {
    const names = able.map(({ name }) => name);
    const [allocated] = this.#book.of(names)?.ports ?? [];
    const chosen =
      able.find(({ name }) => name === allocated) ??
      able.find(({ name }) => addressesOf(this.#input.links, name).length > 0) ??
      able[0];
    if (chosen === undefined) throw new MeshError('MESH_INTERNAL', 'a wire without a port');
    return chosen;
  }

  #begin(ports: readonly string[], { name: device, index, mac }: BootLink, wanted: Wire['input']['wanted']): Place {
    const { clock, journal, links, settings, onSighting } = this.#input;
    // Later, a process that still runs is one that is being ended.
    const serving = this.#settled ? undefined : this.#services.get(device)?.running?.label;
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
      isGuestIn: (subnets) => isGuestIn(subnets, addressesOf(links, device), this.#book.of([device])),
      onSighting: (sighting) => {
        onSighting(sighting);
        if (settings.boot === 'dry') this.#noteDry(wire, sighting, would);
      },
      onChange: () => this.#serve(),
      // Two groups are one after all: a probe got lost, or a switch had not passed it on yet.
      onOwnProbe: () => this.#scanSoon(),
    });
    return { ports, wire, would };
  }

  /** One that is under way may not have seen what has changed: another follows it. */
  #scanSoon(): void {
    this.#soon?.cancel();
    this.#soon = this.#input.clock.after(SCAN_DELAY_MS, () => void this.#scanAnew());
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

  /** Whoever lost its carrier may be on another wire when it comes back. */
  #endLostWires(): void {
    const alive = new Set(
      this.#bootLinks()
        .filter(({ running }) => running)
        .map(({ index }) => index),
    );
    const lost = this.#places.filter(({ wire }) => !alive.has(wire.input.link));
    for (const { wire } of lost) {
      wire.close();
      this.#input.journal.record({
        kind: 'wire lost',
        object: wire.input.device,
        message: `${wire.input.device}: no carrier, or gone`,
      });
    }
    this.#places = this.#places.filter((place) => !lost.includes(place));
  }

  /** Makes subnets, addresses and processes what the modes say. Cheap when nothing is to be done. */
  #serve(): void {
    if (this.#closed) return;
    const served = new Set<string>();
    for (const place of this.#places) {
      const { device } = place.wire.input;
      place.problem = undefined;
      place.subnet = undefined;
      try {
        if (this.#servePlace(place)) served.add(device);
      } catch (error) {
        place.problem = MeshError.from(error);
      }
    }
    if (this.#settled) {
      for (const [device, service] of this.#services) if (!served.has(device)) void service.stop();
    }
    this.#tellPorts();
    this.#input.onDoors();
  }

  /** @returns whether something serves there now @throws MESH_BOOT_* for why not */
  #servePlace(place: Place): boolean {
    const { device } = place.wire.input;
    const { state } = place.wire;
    const addresses = addressesOf(this.#input.links, device);
    if (state.mode === 'server') {
      place.subnet = this.#serverSubnet(place, addresses);
      // The address is the agent's to put there, and the links tell when it is.
      if (!addresses.some(({ ipv4 }) => ipv4 === place.subnet?.ipv4)) return false;
    } else if (state.mode === 'proxy') {
      place.subnet = this.#proxySubnet(device, addresses, foreignSubnets(state));
    } else return false;
    if (this.#input.settings.boot === 'dry' || place.subnet === undefined) return false;
    const { directory } = this.#input;
    const spec = serviceSpec({ device, directory, tftpRoot: this.#files.root }, state.mode, place.subnet);
    void this.#serviceOf(device).run(spec);
    return true;
  }

  /** @throws MESH_BOOT_POOL_EXHAUSTED */
  #serverSubnet({ ports, wire }: Place, addresses: readonly PortAddress[]): SubnetView | undefined {
    const own = subnetOf(addresses, this.#book.of(ports));
    if (own?.origin === 'own') {
      this.#book.release(ports);
      return own;
    }
    const inOrder = [wire.input.device, ...ports.filter((port) => port !== wire.input.device)];
    const foreign = this.#places.flatMap((place) => foreignSubnets(place.wire.state));
    const used = [...subnetsHere(this.#input.links, this.#book.allocations), ...foreign];
    const dry = this.#input.settings.boot === 'dry';
    return subnetOf([], dry ? this.#book.propose(inOrder, used) : this.#book.allocate(inOrder, used));
  }

  #proxySubnet(device: string, addresses: readonly PortAddress[], foreign: readonly Ipv4Cidr[]): SubnetView {
    const address = guestAddress(addresses, foreign);
    if (address !== undefined) {
      const { ipv4, length } = address;
      return { subnet: ipv4Subnet(ipv4, length), origin: 'own', ipv4 };
    }
    throw noGuestAddress(device, foreign);
  }

  /** Ports that are not off are up; and have the addresses of their allocations, also before the first scan of a new life. */
  #tellPorts(): void {
    const { settings, setPorts } = this.#input;
    if (settings.boot !== 'auto') {
      setPorts([]);
      return;
    }
    const ports = this.#bootLinks().flatMap(({ name: device }): UnderlayPort[] => {
      const wanted = wantedMode([device], settings.bootModes);
      if (wanted === 'off') return [];
      const allocation = this.#book.of([device]);
      if (allocation?.ports[0] !== device || (wanted !== 'auto' && wanted !== 'server')) return [{ device }];
      const { subnet } = allocation;
      return [{ device, address: { ipv4: host0AddressIn(subnet), length: ipv4Length(subnet) } }];
    });
    setPorts(ports);
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
