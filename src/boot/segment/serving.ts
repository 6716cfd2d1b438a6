/**
 * Carries out the modes of host0's segments: allocates subnets, lets the agent put host0's addresses on the NICs, and keeps a
 * dnsmasq running for each served segment.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { host0AddressIn, type SubnetAllocation, SubnetBook } from '../../controller/pools/subnet-book.ts';
import type { Host0Settings } from '../../formats/host0/host0-conf.ts';
import { type BroadcastLink, sendBroadcast } from '../../kernel/sockets/broadcast.ts';
import { type Ipv4Cidr, ipv4Length, ipv4Subnet } from '../../model/address/ipv4.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { UnderlayNic } from '../../protocol/documents/assignment.ts';
import type { SubnetView } from '../../protocol/documents/boot-views.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { Service } from '../../services/process/service.ts';
import type { Store } from '../../store/store.ts';
import { BROADCAST_IPV4 } from '../frames/udp-frame.ts';
import { type BootNic, wantedMode } from '../nics/boot-nic.ts';
import { addressesOf, type LinkAddresses, type NicAddress, subnetsHere } from '../nics/nic-address.ts';
import { AddressGiver } from './address-giver.ts';
import { type BootFiles, provideBootFiles } from './boot-files.ts';
import { foreignSubnets } from './boot-mode.ts';
import type { BootSegment } from './boot-segment.ts';
import { FormerSubnets } from './former-subnets.ts';
import { usedEvent } from './segment-note.ts';
import {
  DHCP_PORT,
  dnsmasqName,
  dnsmasqProgram,
  guestAddress,
  hostFile,
  leaseRange,
  noGuestAddress,
  serviceSpec,
  subnetOf,
} from './segment-service.ts';

interface ServingInput {
  readonly settings: Host0Settings;
  /** `<state>/boot` */
  readonly directory: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly links: LinkAddresses;
  /** Called with the NICs that host0's agent should set up, and with the addresses that it should put on them. */
  readonly setNics: (nics: readonly UnderlayNic[]) => void;
}

/** The file names of the process records of dnsmasq; the expression captures the device. */
const RECORDS = /^dnsmasq-(.+)\.process\.json$/;

/** The services of all boot segments. `serve` does not wait for an address: a later call starts dnsmasq when the NIC has it. */
export class Serving {
  readonly #input: ServingInput;
  readonly #book: SubnetBook;
  readonly #former: FormerSubnets;
  readonly #files: BootFiles;
  readonly #services = new Map<string, Service>();
  readonly #givers = new Map<string, AddressGiver>();
  #program: string | undefined;

  private constructor(input: ServingInput, book: SubnetBook, former: FormerSubnets, files: BootFiles) {
    this.#input = input;
    this.#book = book;
    this.#former = former;
    this.#files = files;
  }

  /** Reads the allocations, copies the boot loaders, and adopts the processes that are running. @throws MESH_* */
  static async open(input: ServingInput): Promise<Serving> {
    const { directory, settings, store } = input;
    const { subnetPool: pools, defaultSubnetSize: defaultLength, manualSubnets: wishes } = settings;
    const former = new FormerSubnets(join(directory, 'subnets.json'));
    const [book, files] = await Promise.all([
      SubnetBook.open({ store, rules: { pools, defaultLength, wishes }, former: () => former.read() }),
      settings.boot === 'off' ? { root: '' } : provideBootFiles(join(directory, 'tftp')),
    ]);
    const serving = new Serving(input, book, former, files);
    await serving.#findServices();
    return serving;
  }

  /** Why boot loaders are missing. */
  get missing(): MeshError | undefined {
    return this.#files.missing;
  }

  /** What is not well with the allocations of an earlier version. */
  get bookFindings(): readonly Finding[] {
    return this.#former.health();
  }

  /** The dnsmasq of a NIC, even if an earlier host0 process started it. */
  serviceOf(device: string): Service | undefined {
    return this.#services.get(device);
  }

  /** The choice of addresses on the segment of a NIC; undefined where host0 gives none. */
  giverOf(device: string): AddressGiver | undefined {
    return this.#givers.get(device);
  }

  /** The allocation of the segment that has one of these NICs. */
  allocationOf(nics: readonly string[]): SubnetAllocation | undefined {
    return this.#book.of(nics);
  }

  /** The subnet that the settings wish for the segment with these NICs, if that subnet was not free. */
  unmetWish(nics: readonly string[]): Ipv4Cidr | undefined {
    return this.#book.unmetWish(nics);
  }

  /** Brings subnets and processes in line with the modes, and writes the result into each segment. Cheap if nothing changed. */
  serve(segments: readonly BootSegment[]): void {
    for (const segment of segments) {
      segment.problem = undefined;
      segment.subnet = undefined;
      try {
        segment.served = this.#serveSegment(segment, segments);
      } catch (error) {
        segment.served = false;
        segment.problem = MeshError.from(error);
      }
    }
    const giving = new Set(segments.filter(isGiving).map(({ watch }) => watch.input.device));
    for (const device of this.#givers.keys()) if (!giving.has(device)) this.#endGiver(device);
  }

  /** Stops the dnsmasq of each NIC that no segment is served through. */
  endOthers(segments: readonly BootSegment[]): void {
    const served = new Set(segments.filter((segment) => segment.served).map(({ watch }) => watch.input.device));
    for (const [device, service] of this.#services) if (!served.has(device)) void service.stop();
  }

  /**
   * Tells the agent which NICs should be up (those whose mode is not `off`), and which allocated addresses they should have.
   * Works before the first scan, too, so that a restart takes no address away.
   */
  tellNics(nics: readonly BootNic[]): void {
    const { settings, setNics } = this.#input;
    const wanted = nics.flatMap(({ name: device, names }): UnderlayNic[] => {
      const mode = wantedMode(names, settings.bootModes);
      if (settings.boot !== 'auto' || mode === 'off') return [];
      const allocation = this.#book.of([device]);
      if (allocation?.ports[0] !== device || (mode !== 'auto' && mode !== 'server')) return [{ device }];
      const { subnet } = allocation;
      return [{ device, address: { ipv4: host0AddressIn(subnet), length: ipv4Length(subnet) } }];
    });
    setNics(wanted);
  }

  /** Stops all dnsmasq processes. Resolves when they have ended. */
  async stop(): Promise<void> {
    for (const device of this.#givers.keys()) this.#endGiver(device);
    await Promise.all([...this.#services.values()].map((service) => service.stop()));
  }

  /** Leaves the dnsmasq processes running, for the next host0 process. Resolves when everything is on disk. */
  async release(): Promise<void> {
    for (const device of this.#givers.keys()) this.#endGiver(device);
    await Promise.all([...this.#services.values()].map((service) => service.release()));
    await this.#book.saved().catch(() => {});
  }

  /** Adopts the dnsmasq processes of an earlier host0 process, or stops them if host0 is not to serve. */
  async #findServices(): Promise<void> {
    const { directory, settings } = this.#input;
    const names = await readdir(directory).catch(() => []);
    for (const device of names.flatMap((name) => RECORDS.exec(name)?.[1] ?? [])) this.#makeService(device);
    if (settings.boot !== 'auto') await this.stop();
  }

  #makeService(device: string): Service {
    const { directory, clock, journal } = this.#input;
    const service = new Service({ name: dnsmasqName(device), directory, clock, journal });
    this.#services.set(device, service);
    return service;
  }

  /** @returns whether a dnsmasq should run on the segment now @throws MESH_BOOT_* if one should, but cannot */
  #serveSegment(segment: BootSegment, segments: readonly BootSegment[]): boolean {
    const { device } = segment.watch.input;
    const { state } = segment.watch;
    const { mode } = state;
    if (mode !== 'server' && mode !== 'proxy') return false;
    const addresses = addressesOf(this.#input.links, device);
    segment.subnet =
      mode === 'server'
        ? this.#serverSubnet(segment, addresses, segments)
        : proxySubnet(device, addresses, foreignSubnets(state));
    // The agent puts the address on the NIC, and the change of the links calls `serve` again.
    if (!addresses.some(({ ipv4 }) => ipv4 === segment.subnet?.ipv4)) return false;
    if (this.#input.settings.boot === 'dry' || segment.subnet === undefined) return false;
    const { directory } = this.#input;
    this.#program ??= dnsmasqProgram();
    const setting = { program: this.#program, device, directory, tftpRoot: this.#files.root };
    const spec = serviceSpec(setting, mode, segment.subnet);
    const service = this.#services.get(device) ?? this.#makeService(device);
    if (mode === 'server') this.#keepGiver(segment, segment.subnet, service);
    void service.run(spec);
    return true;
  }

  /** Chooses the addresses of a segment from now on, or goes on with that. */
  #keepGiver({ watch, leases }: BootSegment, subnet: SubnetView, service: Service): void {
    const { device, mac } = watch.input;
    const { clock, journal, directory } = this.#input;
    const host0 = subnet.ipv4;
    const range = leaseRange(subnet);
    const present = this.#givers.get(device);
    if (present?.fits({ watch, range, host0 }) === true) return;
    this.#endGiver(device);
    const giver = new AddressGiver({
      clock,
      file: hostFile(directory, device),
      range,
      mac,
      host0,
      leases,
      watch,
      reload: () => service.reload(),
      repeat: (message) => repeatQuestion({ device, ipv4: host0, broadcast: BROADCAST_IPV4 }, message),
      onUsed: (holder) => journal.record(usedEvent(device, holder)),
    });
    this.#givers.set(device, giver);
  }

  #endGiver(device: string): void {
    this.#givers.get(device)?.close();
    this.#givers.delete(device);
  }

  /** The subnet of a segment where host0 is a server; allocates one if needed. @throws MESH_BOOT_POOL_EXHAUSTED */
  #serverSubnet(
    { nics, watch }: BootSegment,
    addresses: readonly NicAddress[],
    segments: readonly BootSegment[],
  ): SubnetView | undefined {
    const own = subnetOf(addresses, this.#book.of(nics));
    if (own?.origin === 'own') {
      this.#book.release(nics);
      return own;
    }
    const inOrder = [watch.input.device, ...nics.filter((nic) => nic !== watch.input.device)];
    const foreign = segments.flatMap((segment) => foreignSubnets(segment.watch.state));
    const used = [...subnetsHere(this.#input.links, this.#book.allocations), ...foreign];
    const dry = this.#input.settings.boot === 'dry';
    return subnetOf([], dry ? this.#book.propose(inOrder, used) : this.#book.allocate(inOrder, used));
  }
}

/** Whether host0 gives addresses on a segment. */
function isGiving({ watch, served }: BootSegment): boolean {
  return watch.state.mode === 'server' && served === true;
}

/** Puts a machine's question to the dnsmasq of this host. */
function repeatQuestion(link: BroadcastLink, message: Buffer): void {
  try {
    sendBroadcast(link, DHCP_PORT, message);
  } catch {
    // The device is going down, or its address was removed. The machine asks again.
  }
}

/** host0's subnet on a segment where it is a proxy. @throws MESH_BOOT_NO_ADDRESS */
function proxySubnet(device: string, addresses: readonly NicAddress[], foreign: readonly Ipv4Cidr[]): SubnetView {
  const address = guestAddress(addresses, foreign);
  if (address === undefined) throw noGuestAddress(device, foreign);
  const { ipv4, length } = address;
  return { subnet: ipv4Subnet(ipv4, length), origin: 'own', ipv4 };
}
