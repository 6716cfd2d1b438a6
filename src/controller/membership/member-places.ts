/**
 * Places of members: there is one machine behind an identity, and one member at an underlay address. host0 sees of a packet
 * at which underlay address it entered the mesh, and not whether the machine there or a guest of it sent the packet. So
 * whoever is a member at an address keeps it, a guest there is none, and an agent takes the place from a poller.
 */
import type { Clock } from '../../model/clock.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { MEMBER_SILENCE_MS } from '../../protocol/documents/membership.ts';
import type { Heartbeats } from './heartbeats.ts';
import { doubled, notByPoller, notWithoutToken, placeTaken, secondInstance } from './member-error.ts';
import type { MemberRecord } from './member-record.ts';
import type { MemberTable } from './member-table.ts';
import type { RecentlyLeft } from './recently-left.ts';
import type { SourceVerification } from './source-verification.ts';

/** What the decisions depend on. */
export interface MemberPlacesInput {
  readonly network: () => Mesh;
  readonly verification: SourceVerification;
  readonly clock: Clock;
  readonly memberTable: MemberTable;
  readonly heartbeats: Heartbeats;
  readonly recentlyLeft: RecentlyLeft;
}

/** Decides who has the places of one mesh. */
export class MemberPlaces {
  readonly #input: MemberPlacesInput;

  constructor(input: MemberPlacesInput) {
    this.#input = input;
  }

  /** @throws MESH_MEMBER_DOUBLE when `claim` comes from another machine or program than `present`, which keeps its place */
  refuseDouble(present: MemberRecord, claim: MemberRecord): void {
    const { network, heartbeats, clock } = this.#input;
    if (present.instance !== undefined && present.instance === claim.instance) return;
    const heartbeat = heartbeats.of(present.ipv6);
    const nowMs = clock.nowMs();
    const alive = nowMs - heartbeat.heardMs < MEMBER_SILENCE_MS;
    if (present.ipv4 === claim.ipv4) {
      if (present.instance === undefined || claim.instance === undefined) return;
      // Only the machine itself has its token, so it has just rebooted. So has one that host0 knows from its store alone.
      if (!alive || !heartbeat.isHeard || claim.proven === true) return;
      throw secondInstance(network(), present, heartbeat.hasRival(nowMs));
    }
    if (present.instance === undefined && claim.instance === undefined) {
      if (heartbeat.moves.note(nowMs)) throw doubled(network(), present, heartbeat.since, claim);
      return;
    }
    if (alive) throw doubled(network(), present, heartbeat.since, claim);
    if (claim.instance === undefined) throw notByPoller(network(), present, claim);
  }

  /**
   * @throws MESH_MEMBER_DOUBLE, MESH_MEMBER_NOT_ADMITTED for a poller where, or as whom, an agent reported in the last day, and
   *   for an agent without a token, as whom one with a token did elsewhere
   */
  refuseRecent(claim: MemberRecord): void {
    const { network, recentlyLeft, clock } = this.#input;
    const isPoller = claim.instance === undefined;
    if (claim.proven === true) return;
    for (const agent of recentlyLeft.formerAgents(clock.nowMs())) {
      const [sameMachine, samePlace] = [agent.ipv6 === claim.ipv6, agent.ipv4 === claim.ipv4];
      if (sameMachine && !samePlace && isPoller) throw notByPoller(network(), agent, claim);
      if (sameMachine && !samePlace && agent.proven === true) throw notWithoutToken(network(), agent, claim);
      if (!sameMachine && samePlace && isPoller) throw placeTaken(network(), claim, agent);
    }
  }

  /** @throws MESH_MEMBER_NOT_ADMITTED for a poller where an agent is, also if the poller is a member from before that */
  refuseBesideAgent(claim: MemberRecord): void {
    const { network, memberTable } = this.#input;
    const agent = memberTable.records.find(
      ({ ipv4, ipv6, instance }) => ipv4 === claim.ipv4 && ipv6 !== claim.ipv6 && instance !== undefined,
    );
    if (agent !== undefined) throw placeTaken(network(), claim, agent);
  }

  /**
   * Takes the underlay address of `claim` for it: removes a poller that is there from the members, if an agent claims it.
   * @param before the present record of the same member
   * @throws MESH_MEMBER_NOT_ADMITTED when another member has the address and keeps it
   */
  async claim(claim: MemberRecord, before: MemberRecord | undefined): Promise<void> {
    const { network, memberTable } = this.#input;
    const isItsPlace =
      before?.ipv4 === claim.ipv4 && (before.instance !== undefined) === (claim.instance !== undefined);
    if (isItsPlace) return;
    for (const holder of memberTable.records.filter(isRival).toArray()) {
      if (claim.instance !== undefined && holder.instance === undefined) await memberTable.remove(holder.ipv6);
      else if (!(await this.#hasMoved(holder))) throw placeTaken(network(), claim, holder);
    }

    function isRival({ ipv6, ipv4 }: MemberRecord): boolean {
      return ipv4 === claim.ipv4 && ipv6 !== claim.ipv6;
    }
  }

  /** Whether the member's frames come from another underlay address by now. Two machines may exchange their addresses. */
  async #hasMoved({ ipv6, ipv4 }: MemberRecord): Promise<boolean> {
    const { verification, network } = this.#input;
    const now = (await verification.verify(network(), ipv6)).ipv4;
    return now !== undefined && now !== ipv4;
  }
}
