/** The links of a simulated kernel: bridges, VXLANs and the machine's NICs (rtnetlink.c, br_if.c). */
import { type LinkOptions, normalOption } from '../../src/kernel/rtnl/link-options.ts';
import type { BridgePortAttributes, KernelEvent, Link, LinkConf } from '../../src/kernel/rtnl/objects.ts';
import type { LinkChange } from '../../src/kernel/rtnl/operation.ts';
import type { Mac } from '../../src/model/address/mac.ts';
import type { Errno, Of } from './sim-operation.ts';

/** The settings of a new link (Documentation/networking/ip-sysctl.rst). */
const NEW_CONF: LinkConf = {
  disableIpv6: 0,
  acceptRa: 1,
  autoconf: 1,
  acceptRedirects: 1,
  acceptRedirects4: 1,
  arpIgnore: 0,
};

/** A link to make. A tap is made in another way than by rtnetlink. */
type NewLink = Omit<Of<'link-add'>, 'do' | 'kind'> & { readonly kind: Of<'link-add'>['kind'] | 'tun' };

/** Called when addresses and entries on a link must go with its state. `index` is the link's. */
interface OnLinks {
  /** The link goes down, or its Ethernet address changes. */
  neighboursLost(index: number): void;
  linkDown(index: number): void;
  /** The bridge forgets what it has learnt at the port. */
  portFlushed(index: number): void;
  /** The link leaves its bridge. */
  portLeft(index: number): void;
  linkGone(index: number): void;
}

/** Two options of a port have words of their own in a change. */
function portOptions({ learning, locked }: NonNullable<LinkChange['port']> = {}): LinkOptions {
  return {
    ...(learning !== undefined && { 'port learning': Number(learning) }),
    ...(locked !== undefined && { 'port locked': Number(locked) }),
  };
}

/** The options of one place that are not at their default after a change. */
function oddOf(before: LinkOptions = {}, change: LinkOptions, isOfPlace: (name: string) => boolean): LinkOptions {
  const all = Object.entries({ ...before, ...change });
  return Object.fromEntries(all.filter(([name, value]) => isOfPlace(name) && value !== normalOption(name)));
}

function portWith(odd: LinkOptions): BridgePortAttributes {
  const [learning, locked] = ['port learning', 'port locked'].map((name) => (odd[name] ?? normalOption(name)) !== 0);
  const hasOdd = Object.keys(odd).length > 0;
  return { learning: learning === true, locked: locked === true, ...(hasOdd && { odd }) };
}

/** Creates, changes and deletes links, and announces each change with an event. */
export class SimLinks {
  readonly links = new Map<number, Link>();
  readonly #byName = new Map<string, number>();
  /** Links whose MTU was set after their create. */
  readonly #fixedMtus = new Set<number>();
  readonly #onLinks: OnLinks;
  readonly #emit: (event: KernelEvent) => void;
  #lastIndex = 0;

  constructor(onLinks: OnLinks, emit: (event: KernelEvent) => void) {
    this.#onLinks = onLinks;
    this.#emit = emit;
  }

  named(name: string): Link | undefined {
    return this.links.get(this.#byName.get(name) ?? 0);
  }

  addNic(name: string): void {
    const index = this.#create({ name, kind: 'veth', mac: '02:00:00:00:00:01' as Mac, mtuBytes: 1500, group: 0 });
    this.#change(index, { up: true, running: true });
  }

  add({ name, kind, mac, mtuBytes = 1500, group = 0, master, up, vxlan }: NewLink): Errno {
    const bridge = master === undefined ? undefined : this.named(master);
    if (master !== undefined && bridge === undefined) return 'ENODEV';
    if (this.#byName.has(name)) return 'EEXIST';
    if (vxlan !== undefined) {
      for (const link of this.links.values()) {
        if (link.vxlan?.vni === vxlan.vni && link.vxlan.udpPort === vxlan.udpPort) return 'EEXIST';
      }
    }
    const index = this.#create({ name, kind, mac: mac ?? ('02:00:00:00:00:02' as Mac), mtuBytes, group });
    if (vxlan !== undefined) this.#change(index, { vxlan });
    if (bridge !== undefined) this.#enslave(index, bridge.index);
    if (up === true) this.set(name, { up });
    return undefined;
  }

  set(name: string, change: LinkChange): Errno {
    const link = this.named(name);
    if (link === undefined) return 'ENODEV';
    const { master, vxlan, port, options, bridge: _, name: newName, ...plain } = change;
    if (newName !== undefined && newName !== name) {
      if (this.#byName.has(newName)) return 'EEXIST';
      this.#byName.delete(name);
      this.#byName.set(newName, link.index);
    }
    if (plain.mtuBytes !== undefined) this.#fixedMtus.add(link.index);
    const bridge = master === undefined || master === '' ? undefined : this.named(master);
    const odd = { ...portOptions(port), ...options };
    if (master !== undefined && master !== '' && bridge === undefined) {
      // The options of a port have a message of their own, which reaches the bridge of before.
      this.#setOptions(link.index, odd);
      return 'ENODEV';
    }
    const goesDown = plain.up === false && link.up;
    if (goesDown || plain.mac !== undefined) this.#onLinks.neighboursLost(link.index);
    if (goesDown) this.#onLinks.linkDown(link.index);
    this.#change(link.index, {
      ...plain,
      ...(newName !== undefined && { name: newName }),
      // A tap has carrier while a process has it open. No emulator runs here.
      ...(plain.up !== undefined && { running: plain.up && link.kind !== 'tun' }),
      ...(vxlan !== undefined && link.vxlan !== undefined && { vxlan: { ...link.vxlan, ...vxlan } }),
    });
    if (master === '') this.#enslave(link.index, 0);
    else if (bridge !== undefined) this.#enslave(link.index, bridge.index);
    if (port?.flush === true) this.#onLinks.portFlushed(link.index);
    return this.#setOptions(link.index, odd);
  }

  /** Sets options of the link, and of its port of a bridge. */
  #setOptions(index: number, options: LinkOptions): Errno {
    const link = this.links.get(index);
    const names = Object.keys(options);
    if (link === undefined || names.length === 0) return undefined;
    const isOfPort = (name: string) => name.startsWith('port ');
    if (link.port === undefined && names.some(isOfPort)) return 'ENOTSUP';
    const odd = oddOf(link.odd, options, (name) => !isOfPort(name));
    const { odd: _, port, ...rest } = link;
    this.links.set(index, {
      ...rest,
      ...(Object.keys(odd).length > 0 && { odd }),
      ...(port !== undefined && { port: portWith(oddOf(port.odd, options, isOfPort)) }),
    });
    this.#change(index, {});
    return undefined;
  }

  /** Changes settings, without an event: the kernel announces none. */
  setConf(link: Link, conf: Partial<LinkConf>): void {
    this.links.set(link.index, { ...link, conf: { ...link.conf, ...conf } });
  }

  delete(link: Link): undefined {
    if (link.kind === 'bridge') {
      for (const port of [...this.links.values()]) if (port.master === link.index) this.#enslave(port.index, 0);
    }
    this.#onLinks.linkGone(link.index);
    this.links.delete(link.index);
    this.#byName.delete(link.name);
    this.#adjustMtu(link.master);
    this.#emit({ type: 'link', removed: true, link, echo: false });
    return undefined;
  }

  deleteGroup(group: number): undefined {
    for (const link of [...this.links.values()]) if (link.group === group) this.delete(link);
    return undefined;
  }

  #create(given: Pick<Link, 'name' | 'kind' | 'mac' | 'mtuBytes' | 'group'>): number {
    const index = ++this.#lastIndex;
    this.#byName.set(given.name, index);
    this.links.set(index, {
      ...given,
      index,
      up: false,
      running: false,
      loopback: false,
      master: 0,
      alias: '',
      addressMode: 'eui64',
      forwards: false,
      conf: NEW_CONF,
    });
    this.#change(index, {});
    return index;
  }

  #enslave(index: number, bridge: number): void {
    const link = this.links.get(index);
    if (link === undefined || link.master === bridge) return;
    this.#onLinks.portLeft(index);
    const { port: _, ...rest } = link;
    this.links.set(index, bridge === 0 ? { ...rest, master: 0 } : { ...rest, master: bridge, port: portWith({}) });
    this.#change(index, {});
    for (const changed of [link.master, bridge]) this.#adjustMtu(changed);
  }

  /** A bridge has the MTU of its smallest port until its own is set (br_mtu_auto_adjust). */
  #adjustMtu(index: number): void {
    const bridge = this.links.get(index);
    if (bridge === undefined || this.#fixedMtus.has(index)) return;
    const mtus = [...this.links.values()].filter(({ master }) => master === index).map(({ mtuBytes }) => mtuBytes);
    const mtuBytes = mtus.length === 0 ? 1500 : Math.min(...mtus);
    if (mtuBytes !== bridge.mtuBytes) this.#change(index, { mtuBytes });
  }

  #change(index: number, change: Partial<Link>): void {
    const before = this.links.get(index);
    if (before === undefined) return;
    const link = { ...before, ...change };
    this.links.set(index, link);
    this.#emit({ type: 'link', removed: false, link, echo: false });
  }
}
