/**
 * What host0 does on its segments, from their modes: gives them subnets, has the agent put host0's addresses there, and
 * keeps a dnsmasq for each.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host0Settings } from '../../formats/host0/host0-conf.ts';
import { type Ipv4Cidr, ipv4Length, ipv4Subnet } from '../../model/address/ipv4.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { UnderlayNic } from '../../protocol/documents/assignment.ts';
import type { SubnetView } from '../../protocol/documents/boot-views.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { Service } from '../../services/process/service.ts';
import { type BootNic, wantedMode } from '../nics/boot-nic.ts';
import { type AddressBook, addressesOf, type NicAddress, subnetsHere } from '../nics/nic-address.ts';
import { type Allocation, host0AddressIn, SubnetBook } from '../nics/subnet-book.ts';
import { type BootFiles, provideBootFiles } from './boot-files.ts';
import { foreignSubnets } from './boot-mode.ts';
import type { BootSegment } from './boot-segment.ts';
import { dnsmasqProgram, guestAddress, noGuestAddress, serviceSpec, subnetOf } from './segment-service.ts';

export interface ServingInput {
  readonly settings: Host0Settings;
  /** Where its files are. */
  readonly directory: string;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly links: AddressBook;
  /** What the agent should make of this machine's ports. */
  readonly setNics: (ports: readonly UnderlayNic[]) => void;
}

const RECORDS = /^dnsmasq-(.+)\.process\.json$/;

export class Serving {
  readonly #input: ServingInput;
  readonly #book: SubnetBook;
  readonly #files: BootFiles;
  readonly #services = new Map<string, Service>();
  #program: string | undefined;

  private constructor(input: ServingInput, book: SubnetBook, files: BootFiles) {
    this.#input = input;
    this.#book = book;
    this.#files = files;
  }

  /** @throws MESH_DISK_REFUSED */
  static async open(input: ServingInput): Promise<Serving> {
    const { directory, settings } = input;
    const { subnetPool: pools, defaultSubnetSize: defaultLength, manualSubnets: wishes } = settings;
    const [book, files] = await Promise.all([
      SubnetBook.open(join(directory, 'subnets.json'), { pools, defaultLength, wishes }),
      settings.boot === 'off' ? { root: '' } : provideBootFiles(join(directory, 'tftp')),
    ]);
    const serving = new Serving(input, book, files);
    await serving.#findServices();
    return serving;
  }

  /** Why machines that boot lack something. */
  get missing(): MeshError | undefined {
    return this.#files.missing;
  }

  /** The process of a port, also one that an earlier life started. */
  serviceOf(device: string): Service | undefined {
    return this.#services.get(device);
  }

  /** The subnet of our giving, if one of these ports has one. */
  allocationOf(ports: readonly string[]): Allocation | undefined {
    return this.#book.of(ports);
  }

  /** A subnet that the settings wish for these ports, and that was not free. */
  unmetWish(ports: readonly string[]): Ipv4Cidr | undefined {
    return this.#book.unmetWish(ports);
  }

  /** Makes subnets and processes what the modes of the segments say, and notes at each what it has. Cheap when all is so. */
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
  }

  /** Ends the processes of ports at which nothing is served. */
  endOthers(segments: readonly BootSegment[]): void {
    const served = new Set(segments.filter((segment) => segment.served).map(({ watch }) => watch.input.device));
    for (const [device, service] of this.#services) if (!served.has(device)) void service.stop();
  }

  /** Ports that are not off are up, and have the addresses of their allocations, before the first scan of a new life too. */
  tellNics(ports: readonly BootNic[]): void {
    const { settings, setNics } = this.#input;
    const wanted = ports.flatMap(({ name: device, names }): UnderlayNic[] => {
      const mode = wantedMode(names, settings.bootModes);
      if (settings.boot !== 'auto' || mode === 'off') return [];
      const allocation = this.#book.of([device]);
      if (allocation?.ports[0] !== device || (mode !== 'auto' && mode !== 'server')) return [{ device }];
      const { subnet } = allocation;
      return [{ device, address: { ipv4: host0AddressIn(subnet), length: ipv4Length(subnet) } }];
    });
    setNics(wanted);
  }

  /** Resolves when all processes have ended. */
  async stop(): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.stop()));
  }

  /** Leaves the processes as they are, for the next life of this one. */
  async release(): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.release()));
    await this.#book.saved().catch(() => {});
  }

  /** What an earlier life left running: to be taken over, or ended where it is not wanted any more. */
  async #findServices(): Promise<void> {
    const { directory, settings } = this.#input;
    const names = await readdir(directory).catch(() => []);
    for (const device of names.flatMap((name) => RECORDS.exec(name)?.[1] ?? [])) this.#makeService(device);
    if (settings.boot !== 'auto') await this.stop();
  }

  #makeService(device: string): Service {
    const { directory, clock, journal } = this.#input;
    const service = new Service({ name: `dnsmasq-${device}`, directory, clock, journal });
    this.#services.set(device, service);
    return service;
  }

  /** @returns whether something serves there now @throws MESH_BOOT_* for why not */
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
    // The address is the agent's to put there, and the links tell when it is.
    if (!addresses.some(({ ipv4 }) => ipv4 === segment.subnet?.ipv4)) return false;
    if (this.#input.settings.boot === 'dry' || segment.subnet === undefined) return false;
    const { directory } = this.#input;
    this.#program ??= dnsmasqProgram();
    const where = { program: this.#program, device, directory, tftpRoot: this.#files.root };
    const spec = serviceSpec(where, mode, segment.subnet);
    void (this.#services.get(device) ?? this.#makeService(device)).run(spec);
    return true;
  }

  /** @throws MESH_BOOT_POOL_EXHAUSTED */
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
    const inOrder = [watch.input.device, ...nics.filter((port) => port !== watch.input.device)];
    const foreign = segments.flatMap((segment) => foreignSubnets(segment.watch.state));
    const used = [...subnetsHere(this.#input.links, this.#book.allocations), ...foreign];
    const dry = this.#input.settings.boot === 'dry';
    return subnetOf([], dry ? this.#book.propose(inOrder, used) : this.#book.allocate(inOrder, used));
  }
}

/** @throws MESH_BOOT_NO_ADDRESS */
function proxySubnet(device: string, addresses: readonly NicAddress[], foreign: readonly Ipv4Cidr[]): SubnetView {
  const address = guestAddress(addresses, foreign);
  if (address === undefined) throw noGuestAddress(device, foreign);
  const { ipv4, length } = address;
  return { subnet: ipv4Subnet(ipv4, length), origin: 'own', ipv4 };
}
