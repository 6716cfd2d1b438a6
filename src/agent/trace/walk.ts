/**
 * Joins the parts of the agents into whole paths, in the order in which a packet meets them. An agent that did not
 * answer becomes an `unknown` hop. Where each end is as its own agent wants, but the two do not fit together, a hop
 * says so. Pure.
 */
import type { PathPart, PathView, TraceHop, TraceView } from '../../protocol/documents/trace.ts';
import { differs } from './hop.ts';

/**
 * One node's part of a path; or the text `silent`, which says why its agent did not answer; or nothing, if this node cannot ask
 * about the network there.
 */
export type TracePart = { readonly node: string } & (
  | { readonly view: PathView; readonly silent?: never }
  | { readonly view?: never; readonly silent: string }
  | { readonly view?: never; readonly silent?: never }
);

/** The parts of all nodes on a path. */
export interface Parts {
  /** The node of the `from` end. */
  readonly first: TracePart;
  /** host0, if it is neither end. It is on a path only if that path's sender has a route via a gateway. */
  readonly between: TracePart | undefined;
  /** Undefined when both ends are on one node. */
  readonly last: TracePart | undefined;
}

/** Both paths: `forth` from the first node to the last, `back` the other way. */
export function walk({ first, between, last }: Parts): Pick<TraceView, 'forth' | 'back'> {
  return {
    forth: oneWay('forth', [first, between, last]),
    back: oneWay('back', [last, between, first]),
  };
}

function oneWay(direction: 'forth' | 'back', parts: readonly (TracePart | undefined)[]): TraceHop[] {
  const [sender, between, receiver] = parts;
  const sends = sender?.view?.[direction];
  const receives = receiver?.view?.[direction];
  const hops: TraceHop[] = [];
  // What explains that the receiver does not answer comes before that.
  const isAnswer = ({ subject, state }: TraceHop) => subject === 'agent' && state === 'differs';
  const sent = sender === undefined ? [] : hopsOf(sender, direction);
  hops.push(...sent.filter((hop) => !isAnswer(hop)));
  if (between !== undefined && sends?.via !== undefined) hops.push(...hopsOf(between, direction));
  if (receiver !== undefined) {
    hops.push(...hopsOf(receiver, direction));
    // Wrong entries of the sender are reported by its own hops, so the two ends are compared only when there are none.
    if (sends?.hops.every((hop) => hop.state === 'ok' || isAnswer(hop)) && receives !== undefined)
      hops.push(...disagreements(sender?.node ?? '', sends, receiver.node, receives));
  }
  hops.push(...sent.filter(isAnswer));
  return hops;
}

function hopsOf({ node, view, silent }: TracePart, direction: 'forth' | 'back'): readonly TraceHop[] {
  if (view !== undefined) return view[direction].hops;
  if (silent === undefined) {
    return [
      {
        node,
        subject: 'agent',
        state: 'unknown',
        held: 'its part is not known here: about this network only host0 can ask it',
        remedy: `On ${node}: the same command shows its part.`,
      },
    ];
  }
  return [
    {
      node,
      subject: 'agent',
      state: 'unknown',
      held: `its agent does not answer: ${silent}`,
      remedy: `On ${node}: \`mesh status\` shows whether the agent runs, and \`mesh trace\` there what its kernel holds.`,
    },
  ];
}

/** Compares the addresses that the sender uses with those that the receiver expects. */
function disagreements(sender: string, sends: PathPart, receiver: string, receives: PathPart): TraceHop[] {
  const hops: TraceHop[] = [];
  const { sendsTo, sendsFrom } = sends;
  const { receivesAt, receivesFrom } = receives;
  if (sendsTo !== undefined && receivesAt !== undefined && !receivesAt.includes(sendsTo)) {
    hops.push(
      differs(
        receiver,
        'underlay',
        `${receiver} has ${receivesAt.join(', ') || 'no address'}`,
        `${sendsTo}, where ${sender} sends to`,
        `${sender} does not know where ${receiver} is: \`mesh node info ${receiver}\` on host0 shows whether host0 does.`,
      ),
    );
  }
  if (sendsFrom !== undefined && receivesFrom !== undefined && sendsFrom !== receivesFrom) {
    hops.push(
      differs(
        receiver,
        'member list',
        `${sender} is at ${receivesFrom} on the list of ${receiver}`,
        `${sendsFrom}, where ${sender} sends from`,
        `\`mesh node info ${sender}\` on host0 shows which it should be.`,
      ),
    );
  }
  return hops;
}
