/**
 * What is so on a node, for its journal and for whoever follows that: networks, members, health. On host0 the daemon
 * tells of members; its agent only of what is in the kernel.
 */
import { type Fact, healthFacts } from '../protocol/standing.ts';
import type { NetworkView } from '../protocol/views.ts';
import type { Agent } from './agent.ts';
import { healthOf, networkViews } from './agent-view.ts';

export function agentFacts(agent: Agent): Fact[] {
  if (!agent.source.known) return [];
  const views = networkViews(agent);
  const tellsMembers = agent.input.machine !== 'host0';
  return [
    ...views.map(networkFact),
    ...(tellsMembers ? views.flatMap(memberFacts) : []),
    ...healthFacts(healthOf(agent)),
  ];
}

function networkFact({ network: { id, name }, state }: NetworkView): Fact {
  const isNoMore = { kind: 'network removed', message: name, network: id };
  const key = `network ${id}`;
  switch (state.phase) {
    case 'ready':
      return { key, is: { kind: 'network ready', message: `${name} is ready`, network: id }, isNoMore };
    case 'pending':
      return { key, is: { kind: 'network pending', message: `${name}: ${state.why}`, network: id }, isNoMore };
    case 'failed': {
      const { message, code } = state.error;
      return {
        key,
        is: { level: 'error', kind: 'network failed', message: `${name}: ${message}`, network: id, code },
        isNoMore,
      };
    }
  }
}

function memberFacts({ network: { id, name }, members }: NetworkView): Fact[] {
  return members.map((member) => ({
    key: `member ${id} ${member.ipv6}`,
    is: {
      kind: 'member joined',
      message: `${member.name} is in ${name} at ${member.ipv4}`,
      network: id,
      object: member.name,
    },
    isNoMore: {
      kind: 'member left',
      message: `${member.name} is in ${name} no more`,
      network: id,
      object: member.name,
    },
  }));
}
