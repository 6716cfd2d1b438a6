/**
 * The memberships that the channel of one node keeps (protocol/documents/kept-membership.ts). host0 keeps only what the node has got
 * by a report inside the mesh, where host0's kernel has seen its addresses: the channel proves that the machine lives, and no more.
 */
import type { Duplex } from 'node:stream';
import type { Membership } from '../../controller/membership/membership.ts';
import type { Memberships } from '../../controller/memberships.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { MembershipClaim } from '../../protocol/documents/kept-membership.ts';
import { type MembershipEvent, membershipMessage } from '../../protocol/documents/membership.ts';
import { linesOf } from '../../protocol/http/lines.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { CLAIM_MAX_LENGTH, ClaimLineShape } from '../../protocol/shapes/kept-membership-shape.ts';
import type { MemberDoubts } from './member-doubts.ts';
import type { NodeConnection } from './node-connection.ts';

/** The memberships of all meshes, as far as channels keep them. */
export type MembershipSource = Pick<Memberships, 'of' | 'loaded' | 'loads' | 'changes'>;

/** What the memberships of one channel are kept with. */
export interface KeptMembershipsInput {
  readonly machine: MachineId;
  /** The instance that the node has told in its status. */
  readonly instance: string;
  readonly memberships: MembershipSource;
  /** All channels share it. */
  readonly doubts: Pick<MemberDoubts, 'watch'>;
  /** Sends lines to the node. */
  readonly write: (text: string) => void;
}

/** The channel of a node. */
export interface KeptConnection extends Pick<NodeConnection, 'close' | 'signsOfLife'> {
  /** Begins a request of which both bodies stay open. Rejects when the node does not know it. */
  converse(): Promise<Duplex>;
}

/** Room for several snapshots of the largest mesh. A node that does not read them in time loses its channel. */
const BUFFER_MAX_BYTES = 16 * 1024 * 1024;
/** More than a node has meshes. */
const KEPT_MAX = 16_384;

/** A membership that the node has claimed. */
interface Claim {
  claim: MembershipClaim;
  /** The mesh in which the node is followed, and how that ends; undefined until host0 has read its members. */
  followed: { readonly mesh: Membership; readonly end: () => void } | undefined;
  /** Whether host0's kernel has told of the member's packets since it was asked last. */
  isDoubtful: boolean;
}

/**
 * Asks the node of a channel for its memberships, and keeps them until the channel ends. Never rejects. A node of an earlier version
 * knows no such request: it reports in each mesh.
 */
export async function keepMemberships(
  connection: KeptConnection,
  journal: Journal,
  input: Omit<KeptMembershipsInput, 'write'>,
): Promise<void> {
  const stream = await connection.converse().catch(() => undefined);
  if (stream === undefined) return;
  const kept = new KeptMemberships({
    ...input,
    write: (text) => {
      if (stream.destroyed || stream.writableEnded) return;
      if (stream.writableLength > BUFFER_MAX_BYTES) connection.close();
      else stream.write(text);
    },
  });
  const end = connection.signsOfLife.subscribe(() => kept.beat());
  try {
    for await (const lines of linesOf(stream, CLAIM_MAX_LENGTH)) for (const line of lines) kept.take(line);
  } catch (thrown) {
    // Otherwise the channel has ended.
    if (thrown instanceof MeshError) journal.failure('membership not kept', thrown, { object: input.machine });
  }
  end();
  kept.close();
  connection.close();
}

/** The memberships of one node while its channel stands. */
export class KeptMemberships {
  readonly #input: KeptMembershipsInput;
  readonly #claims = new Map<NetworkId, Claim>();
  readonly #ends: readonly (() => void)[];

  constructor(input: KeptMembershipsInput) {
    this.#input = input;
    this.#ends = [
      input.memberships.loads.subscribe(() => this.#beginAll()),
      input.memberships.changes.subscribe(() => this.#endRemoved()),
    ];
  }

  /** Takes a line of the node. @throws MESH_MEMBER_REPORT_INVALID */
  take(line: string): void {
    const { document, fault } = readDocument(ClaimLineShape, line, CLAIM_MAX_LENGTH);
    if (fault !== undefined) {
      throw new MeshError('MESH_MEMBER_REPORT_INVALID', `the node tells a membership that ${fault}`);
    }
    const { network, turn } = document;
    const before = this.#claims.get(network);
    if (document.kind === 'ended') {
      if (before?.claim.turn === turn) this.#forget(network);
      return;
    }
    if (before?.claim.turn === turn) {
      before.claim = document;
      this.#keepAlive(before);
      return;
    }
    this.#forget(network);
    if (this.#claims.size >= KEPT_MAX)
      throw new MeshError('MESH_MEMBER_REPORT_INVALID', 'the node has too many meshes');
    const claim: Claim = { claim: document, followed: undefined, isDoubtful: false };
    this.#claims.set(network, claim);
    this.#begin(claim);
  }

  /**
   * Must be called when the node has answered a ping: the node lives in all its meshes. The empty line tells the node the same of
   * host0.
   */
  beat(): void {
    for (const entry of this.#claims.values()) {
      this.#keepAlive(entry);
      if (entry.isDoubtful) void this.#look(entry);
    }
    this.#input.write('\n');
  }

  /** Must be called when the channel has ended. */
  close(): void {
    for (const end of this.#ends) end();
    for (const { followed } of this.#claims.values()) followed?.end();
    this.#claims.clear();
  }

  /** Begins to keep a membership, once host0 has read the members of its mesh. */
  #begin(entry: Claim): void {
    const { memberships, machine, doubts } = this.#input;
    const { network, since, turn } = entry.claim;
    const mesh = memberships.of(network);
    const isRead = mesh === undefined ? memberships.loaded : mesh.loaded;
    if (entry.followed !== undefined || !isRead) return;
    if (mesh === undefined || !this.#lives(mesh, entry.claim)) {
      this.#end(entry);
      return;
    }
    this.#write({ kind: 'kept', network, turn, segments: mesh.segments });
    const addresses = memberAddresses(mesh.network, machine);
    const { ipv6 } = addresses;
    let isOver = false;
    const end = mesh.subscribe(entry.claim.ipv4, since, (event) => {
      if (isOver) return;
      this.#writeChange(entry.claim, event);
      const isGone =
        event.type === 'snapshot' ? !mesh.isMember(ipv6) : event.type === 'leave' && event.member.ipv6 === ipv6;
      // The subscription may be told before it is known here how to end it.
      if (isGone) queueMicrotask(() => this.#endIfPresent(entry));
    });
    const endWatch = doubts.watch(addresses, () => {
      entry.isDoubtful = true;
    });
    entry.followed = {
      mesh,
      end: () => {
        isOver = true;
        endWatch();
        end();
      },
    };
    // host0's kernel may have told of the member before.
    entry.isDoubtful = true;
  }

  #lives(mesh: Membership, { ipv4, state }: MembershipClaim): boolean {
    const { machine, instance } = this.#input;
    return mesh.loaded && mesh.keepAlive({ machine, instance, ipv4, state });
  }

  #keepAlive(entry: Claim): void {
    const mesh = entry.followed?.mesh;
    // While members are read again, silence does not count.
    if (mesh?.loaded && !this.#lives(mesh, entry.claim)) this.#end(entry);
  }

  /** Lets the node report where host0's kernel sees its packets come from elsewhere. Never rejects. */
  async #look(entry: Claim): Promise<void> {
    const mesh = entry.followed?.mesh;
    if (mesh === undefined) return;
    entry.isDoubtful = false;
    const { ipv6 } = memberAddresses(mesh.network, this.#input.machine);
    const hasMoved = await mesh.hasMoved(ipv6).catch(() => false);
    if (hasMoved) this.#endIfPresent(entry);
  }

  #beginAll(): void {
    for (const entry of this.#claims.values()) this.#begin(entry);
  }

  /** host0 has given up the mesh, or made it anew. */
  #endRemoved(): void {
    const { memberships } = this.#input;
    for (const entry of this.#claims.values()) {
      const mesh = entry.followed?.mesh;
      if (mesh !== undefined && memberships.of(entry.claim.network) !== mesh) this.#end(entry);
    }
  }

  #endIfPresent(entry: Claim): void {
    if (this.#claims.get(entry.claim.network) === entry) this.#end(entry);
  }

  /** Tells the node that it must report inside the mesh. */
  #end({ claim: { network, turn } }: Claim): void {
    this.#forget(network);
    this.#write({ kind: 'ended', network, turn });
  }

  #forget(network: NetworkId): void {
    this.#claims.get(network)?.followed?.end();
    this.#claims.delete(network);
  }

  /** The text of the event is made once for all nodes. */
  #writeChange({ network, turn }: MembershipClaim, event: MembershipEvent): void {
    const head = JSON.stringify({ kind: 'change', network, turn });
    this.#input.write(`${head.slice(0, -1)},"event":${membershipMessage(event).data}}\n`);
  }

  #write(line: object): void {
    this.#input.write(`${JSON.stringify(line)}\n`);
  }
}
