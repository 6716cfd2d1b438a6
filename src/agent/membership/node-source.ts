/** A node's own files and, for each mesh in them, a membership client. */
import type { NetworkDirectory } from '../../disk/network-directory.ts';
import { fileFindings } from '../../formats/conf/file-findings.ts';
import { type Ipv4, type Ipv4Cidr, isIpv4 } from '../../model/address/ipv4.ts';
import type { MeshError } from '../../model/error.ts';
import { type Member, memberAddresses, sameMember } from '../../model/network/member.ts';
import type { Network, NetworkId } from '../../model/network/network.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import type { Attachment, Host0View } from '../desired/assignment.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import { asKernelHas, type DurableText, type KnownMesh, LastKnown } from './last-known.ts';
import { MembershipClient, type MembershipClientInput } from './membership-client.ts';
import type { Source } from './source.ts';
import { lookAtUnderlay, sameUnderlay, type UnderlayView } from './underlay.ts';

export interface NodeSourceInput
  extends Pick<
    MembershipClientInput,
    'machine' | 'name' | 'instance' | 'token' | 'clock' | 'journal' | 'echo' | 'transport'
  > {
  /** What this node takes part in has changed; resolves when the kernel has it. */
  readonly onChange: () => Promise<void>;
  readonly directory: Pick<NetworkDirectory, 'current' | 'start' | 'close'>;
  /** Where it is kept whom this node knows. */
  readonly lastKnown: DurableText;
  readonly host0: readonly Ipv4[];
  readonly kernel: KernelPort;
  readonly cache: () => KernelCache;
  readonly stateOf: (network: Network) => NetworkState;
  /** host0 counts this node as a member of a network, for the first time or again. */
  readonly onJoined?: (network: Network) => void;
}

export class NodeSource implements Source {
  readonly #input: NodeSourceInput;
  readonly #lastKnown: LastKnown;
  readonly #clients = new Map<NetworkId, MembershipClient>();
  /** Undefined until the files have been read: until then, nothing may be taken for left over. */
  #networks: readonly Network[] | undefined;
  #underlay: UnderlayView | undefined;
  #change: Promise<void> = Promise.resolve();
  /** The members of each network with host0 first, as long as the list that they are from is the same. */
  readonly #members = new WeakMap<Network, { listed: readonly Member[]; ipv4: Ipv4; members: readonly Member[] }>();

  constructor(input: NodeSourceInput) {
    this.#input = input;
    this.#lastKnown = new LastKnown({ ...input, text: input.lastKnown, now: () => this.#knownMeshes() });
  }

  get known(): boolean {
    return this.#networks !== undefined;
  }

  get networks(): readonly Network[] {
    return this.#networks ?? [];
  }

  get host0(): readonly Ipv4[] {
    return this.#input.host0;
  }

  get fileFindings(): readonly Finding[] {
    return fileFindings(this.#input.directory.current);
  }

  async start(): Promise<void> {
    await this.underlayChanged();
    await this.#lastKnown.load();
    await this.#input.directory.start();
  }

  /** Takes the directory's networks; changes follow one another. */
  networksChanged(): Promise<void> {
    this.#change = this.#change.then(() => this.#takeNetworks());
    return this.#change;
  }

  /** Leaves the networks that are gone or have become others, while they still work, and joins the new ones once they do. */
  async #takeNetworks(): Promise<void> {
    const { directory, onChange, stateOf, cache } = this.#input;
    const networks = directory.current.networks;
    const before = new Map(this.networks.map((network) => [network.id, network]));
    const after = new Map(networks.map((network) => [network.id, network]));
    const gone = [...this.#clients].filter(([id]) => !sameNetwork(before.get(id), after.get(id)));
    await Promise.all(gone.map(([, client]) => client.stop(true)));
    for (const [id] of gone) this.#clients.delete(id);
    const joining = networks.filter((network) => !this.#clients.has(network.id));
    for (const network of joining) {
      const known = this.#lastKnown.of(network);
      const client = new MembershipClient({
        ...this.#input,
        network,
        ...(known !== undefined && { known: { ...known, members: asKernelHas(known, cache()) } }),
        local: () => this.#underlay?.local,
        state: () => stateOf(network),
        onChange: () => {
          this.#lastKnown.changed();
          void onChange();
        },
        onJoined: () => this.#input.onJoined?.(network),
        forgetHost0: () => this.#forgetHost0(network),
      });
      this.#clients.set(network.id, client);
    }
    this.#networks = networks;
    this.#lastKnown.changed();
    await onChange();
    for (const { id } of joining) this.#clients.get(id)?.start();
  }

  attachments(): readonly Attachment[] {
    return this.networks.map((network) => {
      const client = this.#clients.get(network.id);
      const members = client?.list.members ?? [];
      return {
        network,
        members: this.#withHost0(network, members),
        host0Answers: client?.host0Answers ?? false,
      };
    });
  }

  host0View(): Host0View {
    const underlay = this.#underlay;
    const host0 = underlay?.host0 ?? this.#input.host0[0];
    if (host0 === undefined) throw new TypeError('a node needs an address of host0');
    const segments = new Set<Ipv4Cidr>();
    for (const client of this.#clients.values()) for (const segment of client.segments) segments.add(segment);
    return {
      role: 'node',
      ipv4: host0,
      onLink: underlay?.onLink ?? false,
      reachable: underlay?.reachable ?? [],
      segments: [...segments],
      ...(underlay?.local !== undefined && { local: underlay.local }),
    };
  }

  /** host0 is a member before any list says so. Where the list's view differs, the node's own is nearer. */
  #withHost0(network: Network, listed: readonly Member[]): readonly Member[] {
    const ipv4 = this.#underlay?.host0;
    if (ipv4 === undefined || !isIpv4(ipv4)) return listed;
    const before = this.#members.get(network);
    if (before?.listed === listed && before.ipv4 === ipv4) return before.members;
    const { ipv6, bridgeMac: mac } = memberAddresses(network, 'host0');
    const name = listed.find((member) => member.ipv6 === ipv6)?.name ?? 'host0';
    const known = before?.members[0];
    const own = { name, ipv4, mac, ipv6 };
    const host0 = known !== undefined && sameMember(known, own) ? known : own;
    const members = [host0, ...listed.filter((member) => member.ipv6 !== ipv6)];
    this.#members.set(network, { listed, ipv4, members });
    return members;
  }

  async #forgetHost0(network: Network): Promise<void> {
    const { ipv6: address } = memberAddresses(network, 'host0');
    const link = network.devices.bridge;
    // That there is none is as good.
    await this.#input.kernel.apply([{ do: 'neighbour-delete', link, address }]);
  }

  settled(network: NetworkId): boolean {
    return this.#clients.get(network)?.list.settled ?? false;
  }

  errorOf(network: NetworkId): MeshError | undefined {
    return this.#clients.get(network)?.error;
  }

  streamSinceMs(network: NetworkId): number | undefined {
    return this.#clients.get(network)?.streamSinceMs;
  }

  stateChanged(): void {
    // The next report carries it.
  }

  async underlayChanged(): Promise<void> {
    const { host0, cache, kernel, onChange } = this.#input;
    const now = await lookAtUnderlay(host0, cache(), kernel);
    // Between an address that went and the one that comes, the old one stays: changing to none would need a new device.
    const local = now.local ?? this.#underlay?.local;
    const view = local === undefined ? now : { ...now, local };
    if (sameUnderlay(this.#underlay, view)) return;
    const moved = this.#underlay !== undefined && this.#underlay.local !== view.local;
    this.#underlay = view;
    await onChange();
    if (moved) for (const client of this.#clients.values()) client.reportNow();
  }

  async stop(): Promise<void> {
    await this.#input.directory.close();
    await this.#change;
    await this.#lastKnown.close();
    await Promise.all([...this.#clients.values()].map((client) => client.stop(false)));
  }

  #knownMeshes(): KnownMesh[] {
    return this.networks.map((network) => {
      const client = this.#clients.get(network.id);
      return { network, members: client?.list.members ?? [], segments: client?.segments ?? [] };
    });
  }
}

function sameNetwork(a: Network | undefined, b: Network | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
