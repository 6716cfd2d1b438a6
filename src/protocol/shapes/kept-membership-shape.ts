/** The form of the lines about memberships that a node's channel keeps. */
import type { EndedMembership, KeptChange, KeptMembership, MembershipClaim } from '../documents/kept-membership.ts';
import * as form from './form.ts';
import { EVENT_MAX_LENGTH } from './membership-shape.ts';
import { NetworkIdShape, SegmentsShape, UnderlayAddressShape, VersionShape } from './parts.ts';
import { NetworkStateShape } from './state-shape.ts';

/** The longest line of a node: its state may hold an error with its texts. */
export const CLAIM_MAX_LENGTH = 16 * 1024;
/** The longest line of host0: an event with its mesh. */
export const KEPT_LINE_MAX_LENGTH = EVENT_MAX_LENGTH + 1024;

const turn = { network: NetworkIdShape, turn: form.int(1) };
const Ended = form.object({ kind: form.literal('ended'), ...turn });

/** A line of a node. */
export const ClaimLineShape: form.Shape<MembershipClaim | EndedMembership> = form.variants('kind', [
  Ended,
  form.object({
    kind: form.literal('claim'),
    ...turn,
    ipv4: UnderlayAddressShape,
    state: NetworkStateShape,
    since: form.exactOptional(VersionShape),
  }),
]);

/** A line of host0. */
export const KeptLineShape: form.Shape<KeptMembership | KeptChange | EndedMembership> = form.variants('kind', [
  Ended,
  form.object({ kind: form.literal('kept'), ...turn, segments: SegmentsShape }),
  form.object({ kind: form.literal('change'), ...turn, event: form.unknown() }),
]);
