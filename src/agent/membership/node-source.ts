/** The source of a node's agent: its own network files and, for each mesh in them, a membership client. */

import type { NetworkDirectory } from '../../disk/network-directory.ts';
import type { StateText } from '../../disk/state-file.ts';
import { fileFindings } from '../../formats/conf/file-findings.ts';
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { underlayPrefixes } from '../../kernel/underlay-prefixes.ts';
import { type Ipv4, type Ipv4Cidr, isIpv4 } from '../../model/address/ipv4.ts';
import type { MeshError } from '../../model/error.ts';
import { Lookout } from '../../model/lookout.ts';
import { type Member, memberAddresses, sameMember } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { mustRejoin } from '../../model/network/network-equality.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { Attachment, Host0Stance } from '../desired/assignment.ts';
import { OUR_PROTOCOL } from '../items/mark.ts';
import { VXLAN_TABLE } from '../items/route.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import type { ChannelMemberships } from './channel-memberships.ts';
import type { Host0Seat } from './host0-seat.ts';
import { asKernelHas, type KnownMesh, LastKnown } from './last-known.ts';
import { MembershipClient, type MembershipClientInput } from './membership-client.ts';
import type { Source, SourceAgent } from './source.ts';
import {
  concernsSegments,
  inTurn,
  type JudgedSegments,
  judgeSegments,
  lookAtUnderlay,
  sameUnderlay,
  type UnderlayState,
} from './underlay.ts';

/** What a node's source needs: its identity, files, kernel, and how to reach host0. */
export interface NodeSourceInput
  extends Pick<MembershipClientInput, 'machine' | 'name' | 'instance' | 'clock' | 'journal' | 'echo' | 'transport'> {
  /** The memberships that the node's channel keeps. Absent: this node has no channel. */
  readonly channel?: ChannelMemberships;
  readonly directory: Pick<NetworkDirectory, 'current' | 'changes' | 'start' | 'close'>;
  /** The file of the last known members. */
  readonly lastKnown: StateText;
  /** host0's underlay addresses in order of preference; at least one. */
  readonly host0: readonly Ipv4[];
  /** Whether this machine's own host0 leads. Absent: this machine has none. */
  readonly seat?: Pick<Host0Seat, 'taken' | 'changes'>;
  readonly kernel: KernelPort;
}

/** After so many tries in a row without an answer, the next address of host0 is tried: they take half a second. */
const LOST_A_TURN = 2;

/** A mesh that this node takes part in. */
interface Participation {
  /** As the files define it now. */
  network: Mesh;
  readonly client: MembershipClient;
  /** The members with host0 first, kept while `listed` and host0's address stay the same. */
  /** The members without host0, while this machine's own leads. */
  leading?: { readonly listed: readonly Member[]; readonly members: readonly Member[] };
  withHost0?: { readonly listed: readonly Member[]; readonly ipv4: Ipv4; readonly members: readonly Member[] };
}

/** Reads the network files, joins and leaves their meshes, and gives the agent the members of each. */
export class NodeSource implements Source {
  readonly #joins = new Signal<Mesh>();
  readonly joins: Subscribable<Mesh> = this.#joins;
  readonly #input: NodeSourceInput;
  readonly #lastKnown: LastKnown;
  readonly #meshes = new Map<NetworkId, Participation>();
  /** Undefined until the files have been read. Until then, nothing in the kernel counts as left over. */
  #networks: readonly Mesh[] | undefined;
  #underlay: UnderlayState | undefined;
  /** How often another address of host0 was tried, because the one before did not answer. */
  #turns = 0;
  #lostInARow = 0;
  /**
   * The segments to which the kernel has routes through host0 when the agent starts. Before the first list comes, members
   * there are still heard.
   */
  #heldSegments: readonly Ipv4Cidr[] = [];
  #change: Promise<void> = Promise.resolve();
  /** Looks at the underlay after changes of IPv4 addresses and routes. */
  #looks: Lookout | undefined;

  constructor(input: NodeSourceInput) {
    this.#input = input;
    this.#lastKnown = new LastKnown({ ...input, text: input.lastKnown, now: () => this.#knownMeshes() });
  }

  get known(): boolean {
    return this.#networks !== undefined;
  }

  get networks(): readonly Mesh[] {
    return this.#networks ?? [];
  }

  get host0(): readonly Ipv4[] {
    return this.#input.host0;
  }

  get findings(): readonly Finding[] {
    return [
      ...fileFindings(this.#input.directory.current),
      ...this.#lastKnown.findings,
      ...this.#segments().refused.map(refusedSegment),
    ];
  }

  async start(agent: SourceAgent): Promise<void> {
    const { directory, journal, clock } = this.#input;
    this.#looks = new Lookout({
      clock,
      look: () => this.#lookAtUnderlay(agent),
      onError: (thrown) => journal.faults.tell('look at the underlay', thrown),
    });
    agent.underlayChanges.subscribe((route) => {
      if (route === undefined || concernsSegments(route, this.#listedSegments())) this.#looks?.soon();
    });
    agent.stateChanges.subscribe(() => {
      for (const { client } of this.#meshes.values()) client.stateChanged();
    });
    this.#input.channel?.begins.subscribe(() => {
      for (const { client } of this.#meshes.values()) client.channelBegins();
    });
    this.#input.channel?.silences.subscribe(() => {
      for (const { client } of this.#meshes.values()) client.doubt();
    });
    this.#input.seat?.changes.subscribe(() => {
      void agent.takeUp();
      for (const { client } of this.#meshes.values()) client.reportNow();
    });
    this.#heldSegments = segmentsHeld(agent.cache);
    await this.#lookAtUnderlay(agent);
    await this.#lastKnown.load();
    // One change after the other.
    directory.changes.subscribe(() => {
      this.#change = this.#change
        .then(() => this.#takeNetworks(agent))
        .catch((thrown: unknown) => journal.faults.tell('change of network files', thrown));
    });
    await directory.start(() => {
      const { links, addresses, routes } = agent.cache;
      const tables = { links: links.values(), addresses: addresses.values(), routes: routes.values() };
      return underlayPrefixes(tables, this.networks);
    });
  }

  /**
   * Takes up changed files. Meshes that are gone, or that must be joined again, are left while their devices still
   * work; new ones are joined after the agent has made their devices.
   */
  async #takeNetworks(agent: SourceAgent): Promise<void> {
    const networks = this.#input.directory.current.networks;
    const wanted = new Map(networks.map((network) => [network.id, network]));
    const gone = [...this.#meshes.values()].filter(({ network: before }) => {
      const now = wanted.get(before.id);
      return now === undefined || mustRejoin(before, now);
    });
    await Promise.all(gone.map(({ client }) => client.stop(true)));
    for (const { network } of gone) this.#meshes.delete(network.id);
    const joining: Participation[] = [];
    for (const network of networks) {
      const mesh = this.#meshes.get(network.id);
      if (mesh !== undefined) mesh.network = network;
      else joining.push(this.#takePartIn(network, agent));
    }
    if (!this.#haveLookedForAll()) await this.#lookAtUnderlay(agent);
    this.#networks = networks;
    this.#choosePathWatch();
    this.#lastKnown.changed();
    await agent.takeUp();
    for (const { client } of joining) client.start();
  }

  #takePartIn(network: Mesh, agent: SourceAgent): Participation {
    const known = this.#lastKnown.of(network);
    const now = () => this.#meshes.get(network.id)?.network ?? network;
    const client = new MembershipClient({
      ...this.#input,
      network,
      ...(known !== undefined && { known: { ...known, members: asKernelHas(known, agent.cache) } }),
      local: () => this.#underlay?.local,
      state: () => agent.stateOf(now()),
      meshes: () => this.#meshes.size,
      onChange: () => {
        this.#lastKnown.changed();
        if (!this.#haveLookedForAll()) this.#looks?.soon();
        void agent.takeUp();
      },
      onJoined: () => {
        this.#lostInARow = 0;
        this.#joins.emit(now());
      },
      onLost: () => this.#host0Lost(),
      onKeptChange: (change) => this.#keptChanged(change),
      forgetHost0: () => this.#forgetHost0(now()),
    });
    const mesh = { network, client };
    this.#meshes.set(network.id, mesh);
    return mesh;
  }

  /** The meshes share the path to host0: what one of them has found, the others must find out. */
  #keptChanged(change: 'kept' | 'ended' | 'lost'): void {
    this.#choosePathWatch();
    if (change === 'lost') for (const { client } of this.#meshes.values()) client.doubt();
  }

  /** One ping a second is enough for all meshes whose memberships the channel keeps: in the first of them. */
  #choosePathWatch(): void {
    const all = this.#inOrder();
    const first = all.find(({ client }) => client.isKept);
    if (first !== undefined) for (const mesh of all) mesh.client.watchesPath = mesh === first;
  }

  attachments(): readonly Attachment[] {
    return this.#inOrder().map((mesh) => ({
      network: mesh.network,
      members: this.#withHost0(mesh),
      host0Answers: mesh.client.host0Answers || this.#leads,
    }));
  }

  host0Stance(): Host0Stance {
    const underlay = this.#underlay;
    const host0 = underlay?.host0 ?? this.#input.host0[0];
    if (host0 === undefined) throw new TypeError('a node needs an address of host0');
    return {
      role: 'node',
      ipv4: host0,
      all: this.#input.host0,
      onLink: underlay?.onLink ?? false,
      reachable: underlay?.reachable ?? [],
      segments: this.#segments().taken,
      ...(underlay?.local !== undefined && { local: underlay.local }),
      ...(underlay?.device !== undefined && { device: underlay.device }),
      ...(this.#input.seat?.taken !== undefined && { leads: this.#input.seat.taken }),
    };
  }

  get #leads(): boolean {
    return this.#input.seat?.taken !== undefined;
  }

  /**
   * host0 does not answer. Where several machines can be host0, another of them may lead by now; the first try may only have met one
   * that restarts.
   */
  #host0Lost(): void {
    this.#lostInARow++;
    if (this.#lostInARow % LOST_A_TURN !== 0) return;
    this.#turns++;
    this.#looks?.soon();
  }

  /** The segments that host0 lists in any mesh; and until all lists are settled, those that the kernel has from before. */
  #listedSegments(): Ipv4Cidr[] {
    const meshes = [...this.#meshes.values()];
    // For good: a mesh that is joined later must not bring back segments that host0 has given up since.
    if (meshes.length > 0 && meshes.every(({ client }) => client.list.settled)) this.#heldSegments = [];
    return [...new Set([...meshes.flatMap(({ client }) => client.segments), ...this.#heldSegments])];
  }

  #haveLookedForAll(): boolean {
    return this.#listedSegments().every((segment) => this.#underlay?.segments.includes(segment));
  }

  /** The listed segments, judged. A new one waits until the look at the underlay that looks for it, too. */
  #segments(): JudgedSegments {
    const underlay = this.#underlay;
    if (underlay === undefined) return { taken: [], refused: [] };
    const known = this.#listedSegments().filter((segment) => underlay.segments.includes(segment));
    return judgeSegments(known, underlay);
  }

  /**
   * The listed members, with host0 first. host0 is a member even before a list has come. Where a list names another
   * IPv4 address of host0, the one that this node has chosen counts.
   */
  #withHost0(mesh: Participation): readonly Member[] {
    const { network, client, withHost0: before } = mesh;
    const listed = client.list.members;
    // This machine has host0's addresses itself.
    if (this.#leads) return this.#withoutHost0(mesh);
    const ipv4 = this.#underlay?.host0;
    if (ipv4 === undefined || !isIpv4(ipv4)) return listed;
    if (before?.listed === listed && before.ipv4 === ipv4) return before.members;
    const { ipv6, bridgeMac: mac } = memberAddresses(network, 'host0');
    const name = listed.find((member) => member.ipv6 === ipv6)?.name ?? 'host0';
    const known = before?.members[0];
    const own = { name, ipv4, mac, ipv6 };
    const host0 = known !== undefined && sameMember(known, own) ? known : own;
    const members = [host0, ...listed.filter((member) => member.ipv6 !== ipv6)];
    mesh.withHost0 = { listed, ipv4, members };
    return members;
  }

  #withoutHost0(mesh: Participation): readonly Member[] {
    const listed = mesh.client.list.members;
    if (mesh.leading?.listed === listed) return mesh.leading.members;
    const { ipv6 } = memberAddresses(mesh.network, 'host0');
    const members = listed.filter((member) => member.ipv6 !== ipv6);
    mesh.leading = { listed, members };
    return members;
  }

  /**
   * Deletes the neighbour entry for host0, so that the kernel solicits host0 again. This is one of the four kernel
   * changes that are no step of a plan: the kernel learnt the entry itself, and learns the next one a moment later.
   */
  async #forgetHost0(network: Mesh): Promise<void> {
    const { ipv6: address } = memberAddresses(network, 'host0');
    const link = network.bridge.name;
    // An error means that there was no entry, so it is ignored.
    await this.#input.kernel.apply([{ do: 'neighbour-delete', link, address }]);
  }

  settled(network: NetworkId): boolean {
    return this.#meshes.get(network)?.client.list.settled ?? false;
  }

  errorOf(network: NetworkId): MeshError | undefined {
    return this.#meshes.get(network)?.client.error;
  }

  streamSinceMs(network: NetworkId): number | undefined {
    return this.#meshes.get(network)?.client.streamSinceMs;
  }

  async stop(): Promise<void> {
    this.#looks?.close();
    await this.#input.directory.close();
    await this.#change;
    await this.#lastKnown.close();
    await Promise.all(Array.from(this.#meshes.values(), ({ client }) => client.stop(false)));
  }

  async #lookAtUnderlay(agent: SourceAgent): Promise<void> {
    const { host0, kernel } = this.#input;
    const candidates = inTurn(host0, this.#turns, agent.cache);
    const now = await lookAtUnderlay(candidates, this.#listedSegments(), agent.cache, kernel);
    // Between the loss of an address and the next one, the old one is kept: a change to none would need a new VXLAN
    // device.
    const local = now.local ?? this.#underlay?.local;
    const view = local === undefined ? now : { ...now, local };
    if (sameUnderlay(this.#underlay, view)) return;
    const moved = this.#underlay !== undefined && this.#underlay.local !== view.local;
    this.#underlay = view;
    await agent.takeUp();
    if (moved) for (const { client } of this.#meshes.values()) client.reportNow();
  }

  /** Without the segments that were refused: these do not come back at the next start. */
  #knownMeshes(): KnownMesh[] {
    const { taken } = this.#segments();
    return this.#inOrder().map(({ network, client }) => {
      const segments = client.segments.filter((segment) => taken.includes(segment));
      return { network, members: client.list.members, segments };
    });
  }

  /** The meshes in the order of their files. */
  #inOrder(): readonly Participation[] {
    return this.networks.flatMap(({ id }) => this.#meshes.get(id) ?? []);
  }
}

function refusedSegment({ segment, own }: JudgedSegments['refused'][number]): Finding {
  return {
    code: 'MESH_HOST0_SEGMENT',
    severity: 'warning',
    object: segment,
    message: `host0 lists the segment ${segment}, which overlaps ${own}, a network of this node: no route to it is made`,
    remedy:
      'Give one of the two another subnet. If host0 has no such segment (`mesh system status` there), another machine ' +
      'answers as host0.',
  };
}

/** The segments to which an agent before this one made routes. */
function segmentsHeld(cache: KernelTables): Ipv4Cidr[] {
  return [...cache.routes.values()]
    .filter(({ family, table, protocol }) => family === 4 && table === VXLAN_TABLE && protocol === OUR_PROTOCOL)
    .map(({ destination }) => destination as Ipv4Cidr);
}
