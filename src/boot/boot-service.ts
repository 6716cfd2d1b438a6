/**
 * Everything that host0 does for booting machines, put together: its side of their segments (boot-segments.ts), the HTTP site
 * that they fetch from (boot-site.ts), and the log of how far each machine is (boot-log.ts).
 */
import { join } from 'node:path';
import type { Host0Settings } from '../formats/host0/host0-conf.ts';
import type { LiveMirror } from '../kernel/mirror/live-mirror.ts';
import { type Ipv4, isIpv4 } from '../model/address/ipv4.ts';
import type { Mac } from '../model/address/mac.ts';
import type { Clock } from '../model/clock.ts';
import type { Finding } from '../protocol/documents/finding.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import type { Journal } from '../protocol/journal/journal.ts';
import type { Store } from '../store/store.ts';
import { BootSegments, type BootSegmentsInput } from './boot-segments.ts';
import { heardAt } from './nics/heard-at.ts';
import { bootEndpoints } from './site/boot-endpoints.ts';
import { BootLoadLimiter } from './site/boot-load-limiter.ts';
import type { BootRegistry } from './site/boot-request-handler.ts';
import { type BootEndpoint, BootSite, type BootSiteInput } from './site/boot-site.ts';
import { modelOf } from './site/hardware.ts';
import { nearestFirst } from './site/nearest-first.ts';
import { BootLog, type BootLogInput } from './timeline/boot-log.ts';
import { ModelTimes } from './timeline/model-times.ts';

/** The known machines, and the hardware facts that each sent at its last boot. */
interface CardRegistry extends BootRegistry {
  /** The machine that booted last from the network card with this MAC. */
  byCard(mac: Mac): { readonly facts: Readonly<Record<string, string>> } | undefined;
}

/** What `BootService` works with; `main/host0/host0-machines.ts` puts it together. */
export interface BootServiceInput
  extends Pick<BootSegmentsInput, 'setNics'>,
    Pick<BootSiteInput, 'attempts' | 'catalogue' | 'images' | 'secretsOf'>,
    Pick<BootLogInput, 'nameOf' | 'meshesOf' | 'refusalOf'> {
  readonly settings: Host0Settings;
  readonly paths: Pick<Paths, 'state' | 'host0'>;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly store: Store;
  /** host0's kernel. */
  readonly mirror: LiveMirror;
  readonly registry: CardRegistry;
}

/**
 * How many machines load at the same time. Kernel and initrd have about 60 MB: with this number, a segment of 10 Gbit/s is
 * busy, and on one of 1 Gbit/s each machine still gets a fair share.
 */
const LOADING_MAX = 24;

/** Connects the boot segments, the boot site and the boot log: sightings go to the log, endpoints to the site's sockets. */
export class BootService {
  readonly segments: BootSegments;
  readonly log: BootLog;
  readonly #input: BootServiceInput;
  readonly #sockets: ReturnType<typeof bootEndpoints>;
  /** Where the boot site listens. A copy, since `segments.endpoints` is empty as soon as the segments are closed. */
  #endpoints: readonly BootEndpoint[] = [];

  private constructor(input: BootServiceInput, segments: BootSegments, times: ModelTimes) {
    const { clock, journal, mirror, paths, registry } = input;
    this.#input = input;
    this.segments = segments;
    this.log = new BootLog({
      ...input,
      segmentStateOf: (device) => segments.segmentStateOf(device),
      modelOf: (mac) => modelOf(registry.byCard(mac)?.facts ?? {}),
      times,
    });
    const site = new BootSite({
      ...input,
      sharedIds: input.settings.sharedIds,
      loadLimiter: new BootLoadLimiter(LOADING_MAX, clock),
      neighbour: async (device, address) => (await mirror.neighbour(device, address))?.mac,
      leasedTo: (device, address) => segments.leasedTo(device, address),
      // Another of them may lead when the node looks for host0 again.
      host0Addresses: (device) => [...new Set([...nearestFirst(this.#endpoints, device), ...input.settings.host0s])],
      isos: join(paths.host0, 'isos'),
      mirror: join(paths.state, 'mirror/generations'),
      bootFiles: join(paths.state, 'boot/tftp'),
      onSighting: (sighting) => this.log.take(sighting),
    });
    this.#sockets = bootEndpoints({
      site,
      clock,
      journal,
      indexOf: (device) => mirror.indexOf(device),
      originAt: async (device, peer) => {
        const mac = isIpv4(peer) ? (await mirror.neighbour(device, peer))?.mac : undefined;
        return mac === undefined ? {} : { mac };
      },
    });
    segments.sightings.subscribe((sighting) => this.log.take(sighting));
    segments.endpointChanges.subscribe(() => this.#serve());
    mirror.changes.subscribe(() => segments.linksChanged());
    this.#serve();
  }

  /** Resolves before the first scan, which follows 300 ms later. @throws MESH_DISK_REFUSED */
  static async open(input: BootServiceInput): Promise<BootService> {
    const times = await ModelTimes.open(input.store);
    const segments = await BootSegments.open({
      ...input,
      links: input.mirror,
      directory: join(input.paths.state, 'boot'),
    });
    return new BootService(input, segments, times);
  }

  /** The name of the NIC on which host0 hears a machine's network card now, by the MAC of the card. */
  heardAt(): ReadonlyMap<Mac, string> {
    const { neighbours, links } = this.#input.mirror;
    return heardAt(neighbours, links);
  }

  /** The findings of the boot servers' sockets; the segments have findings of their own. */
  health(): readonly Finding[] {
    return this.#sockets.health();
  }

  /** The network card at an address on any NIC; undefined if no neighbour entry names one. */
  cardAt(ipv4: Ipv4): Mac | undefined {
    for (const { address, mac, state } of this.#input.mirror.neighbours)
      if (address === ipv4 && mac !== undefined && state !== 'failed') return mac;
    return undefined;
  }

  /** Leaves the dnsmasq processes running; the next host0 process adopts them. */
  async close(): Promise<void> {
    await this.segments.close();
    this.#sockets.close();
    this.log.close();
  }

  #serve(): void {
    this.#endpoints = this.segments.endpoints;
    this.#sockets.serve(this.#endpoints);
  }
}
