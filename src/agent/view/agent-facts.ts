/**
 * What is so on a node, for its journal and for whoever follows that: networks, members, health. On host0 the daemon
 * tells of members; its agent only of what is in the kernel.
 */
import type { Member } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import { type Fact, healthFacts } from '../../protocol/journal/standing.ts';
import type { Agent } from '../agent.ts';
import { healthOf } from './agent-view.ts';

export class AgentFacts {
  readonly #agent: Agent;
  /** Lists keep the members that do not change: thousands of facts need not be made anew at each look. */
  readonly #members = new WeakMap<Member, Fact>();

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  read(): Fact[] {
    const agent = this.#agent;
    if (!agent.source.known) return [];
    const facts = healthFacts(healthOf(agent));
    for (const { network, members } of agent.source.attachments()) {
      facts.push(networkFact(network, agent.stateOf(network)));
      if (agent.input.machine === 'host0') continue;
      for (const member of members) facts.push(this.#memberFact(network, member));
    }
    return facts;
  }

  #memberFact(network: Network, member: Member): Fact {
    const known = this.#members.get(member);
    if (known !== undefined) return known;
    const fact = memberFact(network, member);
    this.#members.set(member, fact);
    return fact;
  }
}

function networkFact({ id, name }: Network, state: NetworkState): Fact {
  const isNoMore = { kind: 'network removed', message: name, network: id };
  const key = `network ${id}`;
  switch (state.phase) {
    case 'ready':
      return { key, is: { kind: 'network ready', message: `${name} is ready`, network: id }, isNoMore };
    case 'pending':
      return { key, is: { kind: 'network pending', message: `${name}: ${state.why}`, network: id }, isNoMore };
    case 'failed': {
      const { message, code } = state.error;
      const is = { level: 'error', kind: 'network failed', message: `${name}: ${message}`, network: id, code } as const;
      return { key, is, isNoMore };
    }
  }
}

function memberFact({ id, name: mesh }: Network, { name, ipv4, ipv6 }: Member): Fact {
  const common = { network: id, object: name };
  return {
    key: `member ${id} ${ipv6}`,
    is: { kind: 'member joined', message: `${name} is in ${mesh} at ${ipv4}`, ...common },
    isNoMore: { kind: 'member left', message: `${name} is in ${mesh} no more`, ...common },
  };
}
