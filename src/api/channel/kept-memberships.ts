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
import type { NodeConnection } from './node-connection.ts';

/** The memberships of all meshes, as far as channels keep them. */
export type MembershipSource = Pick<Memberships, 'of' | 'loaded' | 'loads' | 'changes'>;

/** The channel of a node. */
export interface KeptConnection extends Pick<NodeConnection, 'close' | 'signsOfLife'> {
  /** Begins a request of which both bodies stay open. Rejects when the node does not know it. */
  converse(): Promise<Duplex>;
}

/** What one channel keeps memberships with. */
export interface KeptMembershipsInput {
  readonly connection: KeptConnection;
  readonly machine: MachineId;
  /** The instance that the node has told in its status. */
  readonly instance: string;
  readonly memberships: MembershipSource;
  readonly journal: Journal;
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
}

/** Keeps the memberships of one node while its channel stands. */
export class KeptMemberships {
  readonly #input: KeptMembershipsInput;
  readonly #claims = new Map<NetworkId, Claim>();
  #out: Duplex | undefined;

  constructor(input: KeptMembershipsInput) {
    this.#input = input;
  }

  /** Asks the node for its memberships, and keeps them until the channel ends. Never rejects. */
  async follow(): Promise<void> {
    const { connection, memberships } = this.#input;
    const stream = await connection.converse().catch(() => undefined);
    // A node of an earlier version knows no such request: it reports in each mesh.
    if (stream === undefined) return;
    this.#out = stream;
    const ends = [
      connection.signsOfLife.subscribe(() => this.#beat()),
      memberships.loads.subscribe(() => this.#beginAll()),
      memberships.changes.subscribe(() => this.#endRemoved()),
    ];
    try {
      for await (const line of linesOf(stream, CLAIM_MAX_LENGTH)) this.#take(line);
    } catch (thrown) {
      // Otherwise the channel has ended.
      const { journal, machine } = this.#input;
      if (thrown instanceof MeshError) journal.failure('membership not kept', thrown, { object: machine });
    }
    for (const end of ends) end();
    for (const { followed } of this.#claims.values()) followed?.end();
    this.#claims.clear();
    connection.close();
  }

  /** @throws MESH_MEMBER_REPORT_INVALID */
  #take(line: string): void {
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
    const claim: Claim = { claim: document, followed: undefined };
    this.#claims.set(network, claim);
    this.#begin(claim);
  }

  /** Begins to keep a membership, once host0 has read the members of all meshes. */
  #begin(entry: Claim): void {
    const { memberships, machine } = this.#input;
    const { network, since, turn } = entry.claim;
    if (entry.followed !== undefined || !memberships.loaded) return;
    const mesh = memberships.of(network);
    if (mesh === undefined || !this.#lives(mesh, entry.claim)) {
      this.#end(entry);
      return;
    }
    this.#write({ kind: 'kept', network, turn, segments: mesh.segments });
    const { ipv6 } = memberAddresses(mesh.network, machine);
    let isOver = false;
    const end = mesh.subscribe(entry.claim.ipv4, since, (event) => {
      if (isOver) return;
      this.#writeChange(entry.claim, event);
      const isGone =
        event.type === 'snapshot' ? !mesh.isMember(ipv6) : event.type === 'leave' && event.member.ipv6 === ipv6;
      // The subscription may be told before it is known here how to end it.
      if (isGone) queueMicrotask(() => this.#endIfPresent(entry));
    });
    entry.followed = {
      mesh,
      end: () => {
        isOver = true;
        end();
      },
    };
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

  /** The node has answered a ping: it lives in all its meshes. The empty line tells the node the same of host0. */
  #beat(): void {
    for (const entry of this.#claims.values()) this.#keepAlive(entry);
    this.#writeText('\n');
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
    this.#writeText(`${head.slice(0, -1)},"event":${membershipMessage(event).data}}\n`);
  }

  #write(line: object): void {
    this.#writeText(`${JSON.stringify(line)}\n`);
  }

  #writeText(text: string): void {
    const out = this.#out;
    if (out === undefined || out.destroyed || out.writableEnded) return;
    if (out.writableLength > BUFFER_MAX_BYTES) this.#input.connection.close();
    else out.write(text);
  }
}
