/**
 * All that host0 does for machines that boot, put together: its side of their segments (boot.ts), the site that they fetch
 * from (boot-site.ts), and the log of how far each is (boot-log.ts).
 */
import { join } from 'node:path';
import type { Host0Settings } from '../formats/host0/host0-conf.ts';
import type { Ip } from '../kernel/ip.ts';
import type { Neighbour } from '../kernel/rtnl/objects.ts';
import type { Mac } from '../model/address/mac.ts';
import type { Clock } from '../model/clock.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import type { Journal } from '../protocol/journal/event.ts';
import type { Store } from '../store/store.ts';
import { Boot, type BootInput } from './boot.ts';
import { heardAt } from './nics/heard-at.ts';
import type { HostLinks } from './nics/host-links.ts';
import { bootEndpoints } from './site/boot-endpoints.ts';
import { BootLoadLimiter } from './site/boot-load-limiter.ts';
import type { BootRegistry } from './site/boot-request-handler.ts';
import { type BootEndpoint, BootSite, type BootSiteInput } from './site/boot-site.ts';
import { modelOf } from './site/hardware.ts';
import { nearestFirst } from './site/nearest-first.ts';
import { BootLog, type BootLogInput } from './timeline/boot-log.ts';
import { ModelTimes } from './timeline/model-times.ts';

/** host0's neighbour table; `Rtnl` reads it. */
export interface NeighbourTable {
  neighbour(link: string, address: Ip): Promise<Neighbour | undefined>;
  neighbours(): Promise<readonly Neighbour[]>;
}

/** Who the machines are, and what each said of its hardware when it booted from a card last. */
export interface CardRegistry extends BootRegistry {
  byCard(mac: Mac): { readonly facts: Readonly<Record<string, string>> } | undefined;
}

/** The parts that a boot service asks, and what it is to tell. */
export interface BootServiceInput
  extends Pick<BootInput, 'setNics'>,
    Pick<BootSiteInput, 'attempts' | 'catalogue' | 'images' | 'secretsOf'>,
    Pick<BootLogInput, 'nameOf' | 'meshesOf'> {
  readonly settings: Host0Settings;
  readonly paths: Pick<Paths, 'state' | 'host0'>;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly store: Store;
  readonly links: HostLinks;
  readonly neighbours: NeighbourTable;
  readonly registry: CardRegistry;
}

/** Kernel and initrd have some 60 MB: as many loads at once keep a segment of 10 Gbit/s busy, and one of 1 Gbit/s fair. */
const LOADING_MAX = 24;

/** Serves from the moment that it is open until it is closed; the DHCP servers that it has started outlive it. */
export class BootService {
  readonly boot: Boot;
  readonly log: BootLog;
  readonly #input: BootServiceInput;
  readonly #sockets: ReturnType<typeof bootEndpoints>;
  /** Where machines find host0. They stay when the segments are left, as the sockets do. */
  #endpoints: readonly BootEndpoint[] = [];

  private constructor(input: BootServiceInput, boot: Boot, times: ModelTimes) {
    const { clock, journal, links, neighbours, paths, registry } = input;
    this.#input = input;
    this.boot = boot;
    this.log = new BootLog({
      ...input,
      segmentStateOf: (device) => boot.segmentStateOf(device),
      modelOf: (mac) => modelOf(registry.byCard(mac)?.facts ?? {}),
      times,
    });
    const site = new BootSite({
      ...input,
      loadLimiter: new BootLoadLimiter(LOADING_MAX, clock),
      neighbour: async (device, address) => (await neighbours.neighbour(device, address))?.mac,
      leasedTo: (device, address) => boot.leasedTo(device, address),
      host0Addresses: (device) => nearestFirst(this.#endpoints, device),
      isos: join(paths.host0, 'isos'),
      bootFiles: join(paths.state, 'boot/tftp'),
      onSighting: (sighting) => this.log.take(sighting),
    });
    this.#sockets = bootEndpoints({ site, clock, journal, indexOf: (device) => links.indexOf(device) });
    boot.sightings.subscribe((sighting) => this.log.take(sighting));
    boot.endpointChanges.subscribe(() => this.#serve());
    links.changes.subscribe(() => boot.linksChanged());
    this.#serve();
  }

  /** @throws MESH_DISK_REFUSED */
  static async open(input: BootServiceInput): Promise<BootService> {
    const times = await ModelTimes.open(input.store);
    const boot = await Boot.open({ ...input, directory: join(input.paths.state, 'boot') });
    return new BootService(input, boot, times);
  }

  /** On which of host0's NICs a network card is heard now. */
  async heardAt(): Promise<ReadonlyMap<Mac, string>> {
    const { neighbours, links } = this.#input;
    return heardAt(await neighbours.neighbours(), links.links);
  }

  /** Leaves what serves on the segments as it is, for the next life of this process. */
  async close(): Promise<void> {
    await this.boot.close();
    this.#sockets.close();
    this.log.close();
  }

  #serve(): void {
    this.#endpoints = this.boot.endpoints;
    this.#sockets.serve(this.#endpoints);
  }
}
