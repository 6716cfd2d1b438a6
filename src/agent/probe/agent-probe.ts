/** The multicast probe beside an agent: it follows the networks of the agent and the links of the kernel. */

import { GroupSocket } from '../../kernel/multicast/group-socket.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Network } from '../../model/network/network.ts';
import type { Agent } from '../agent.ts';
import type { NodeAssignments } from '../assignment/node-assignments.ts';
import { groupPlaces } from './group-place.ts';
import { MulticastProbe } from './multicast-probe.ts';

/** Begins to follow; the assignments tell host0 what was heard, and the findings become the agent's. The caller closes it. */
export function openProbe(agent: Agent, assignments: NodeAssignments): MulticastProbe {
  const { machine, clock } = agent.input;
  const ipv4On = (device: string) => {
    const link = agent.cache.linkNamed(device)?.index;
    const found = [...agent.cache.addresses.values()].find((on) => on.family === 4 && on.link === link);
    return found?.address as Ipv4 | undefined;
  };
  const probe = new MulticastProbe({ machine, clock, random: Math.random, open: GroupSocket.open, ipv4On });
  let known: { readonly all: readonly Network[]; readonly multicast: readonly Network[] } = { all: [], multicast: [] };
  const multicastNetworks = () => {
    const { all } = agent.networks;
    if (known.all !== all) known = { all, multicast: all.filter(({ peers }) => peers?.kind === 'multicast') };
    return known.multicast;
  };
  const follow = () => probe.follow(groupPlaces(multicastNetworks(), agent.cache));
  agent.reconciler.passes.subscribe(follow);
  agent.linkChanges.subscribe(follow);
  assignments.listenWith(probe);
  probe.changes.subscribe(() => assignments.changed());
  agent.addHealthOf(probe);
  return probe;
}
