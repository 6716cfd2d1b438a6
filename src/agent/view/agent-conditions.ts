/**
 * The present conditions of a node for its journal: networks, members and findings. host0's agent leaves the members
 * out, since the daemon journals them there.
 */
import type { Member } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import { type Condition, healthConditions } from '../../protocol/journal/conditions.ts';
import type { Agent } from '../agent.ts';
import { healthOf } from './agent-view.ts';

/** Reads the agent's conditions; the journal compares them with the last ones (see Conditions). */
export class AgentConditions {
  readonly #agent: Agent;
  /** A list keeps the objects of unchanged members. So thousands of conditions need not be built again at each look. */
  readonly #members = new WeakMap<Member, Condition>();

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  /** The conditions of now; none until the networks are known. */
  read(): Condition[] {
    const agent = this.#agent;
    if (!agent.source.known) return [];
    const conditions = healthConditions(healthOf(agent));
    for (const { network, members } of agent.source.attachments()) {
      conditions.push(networkCondition(network, agent.stateOf(network)));
      if (agent.input.machine === 'host0') continue;
      for (const member of members) conditions.push(this.#memberCondition(network, member));
    }
    return conditions;
  }

  #memberCondition(network: Mesh, member: Member): Condition {
    const known = this.#members.get(member);
    if (known !== undefined) return known;
    const condition = memberCondition(network, member);
    this.#members.set(member, condition);
    return condition;
  }
}

function networkCondition({ id, name }: Mesh, state: NetworkState): Condition {
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

function memberCondition({ id, name: mesh }: Mesh, { name, ipv4, ipv6 }: Member): Condition {
  const common = { network: id, object: name };
  return {
    key: `member ${id} ${ipv6}`,
    is: { kind: 'member joined', message: `${name} is in ${mesh} at ${ipv4}`, ...common },
    isNoMore: { kind: 'member left', message: `${name} is in ${mesh} no more`, ...common },
  };
}
