/** Findings about the ports of this node: which cannot be ports, which are down, and whose guest was refused what. */
import { memberAddresses } from '../../model/network/member.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { Agent } from '../agent.ts';
import { REFUSAL_KINDS, REFUSAL_TEXTS, type RefusalCount, type RefusalKind } from '../items/refusal.ts';

/** Ethernet addresses that a message names. A guest can have many. */
const MACS_NAMED = 2;

/** Kinds that an administrator's own router sends, too. */
const OF_ROUTERS: ReadonlySet<RefusalKind> = new Set(['router', 'dhcp-server', 'link-protocol', 'tagged']);

/** Ports that this machine itself needs, ports that are down, and ports that send what no port may. */
export function portFindings(agent: Agent): Finding[] {
  const unfit = agent.source.known ? agent.unfitPorts.findings(agent.cache, agent.source.host0Stance()) : [];
  return [...unfit, ...downFindings(agent), ...refusalFindings(agent)];
}

/** One finding for each plugged interface that is set down. The agent leaves it so: its owner may want that. */
function downFindings(agent: Agent): Finding[] {
  return agent.ports.list().flatMap(({ interface: port, network: id, down }): Finding[] => {
    const network = agent.networks.all.find((known) => known.id === id);
    if (down !== true || network === undefined) return [];
    return [
      {
        code: 'MESH_PORT_DOWN',
        severity: 'warning',
        object: port,
        message: `${port} is plugged into ${network.name}, but it is down: no frame passes`,
        remedy: `Set it up: \`ip link set ${port} up\`. Or take it off the network: \`mesh port unplug ${port}\`.`,
      },
    ];
  });
}

/**
 * One finding for each port from which frames were refused in the last ten minutes. The message has no numbers: these are
 * in `mesh port list`, and would make each look at the findings a new event.
 */
function refusalFindings(agent: Agent): Finding[] {
  const byPort = Map.groupBy(agent.refusals.counts, ({ port }) => port);
  return Array.from(byPort, ([port, counts]) => {
    const sorted = counts.toSorted((a, b) => REFUSAL_KINDS.indexOf(a.kind) - REFUSAL_KINDS.indexOf(b.kind));
    return {
      code: 'MESH_PORT_REFUSED',
      severity: 'warning',
      object: port,
      message: `${port} sends what a port may not, and it is refused: ${sorted.map((count) => textOf(agent, count)).join('; ')}`,
      remedy: remedyOf(agent, port, counts),
    };
  });
}

function textOf(agent: Agent, count: RefusalCount): string {
  const macs = agent.refusals.offendersOf(count);
  const named = macs.slice(0, MACS_NAMED).map((mac) => {
    const name = memberAt(agent, mac);
    return name === undefined ? mac : `${mac}, that of ${name}`;
  });
  if (macs.length > MACS_NAMED) named.push(`${macs.length - MACS_NAMED} more`);
  return `${REFUSAL_TEXTS[count.kind]}${named.length === 0 ? '' : ` (${named.join('; ')})`}`;
}

/** The name of the member with an Ethernet address; this node is one. */
function memberAt({ source, input }: Agent, mac: string): string | undefined {
  for (const { network, members } of source.attachments()) {
    const { bridgeMac, vtepMac } = memberAddresses(network, input.machine);
    if (mac === bridgeMac || mac === vtepMac) return input.name;
    const member = members.find((candidate) => candidate.mac === mac);
    if (member !== undefined) return member.name;
  }
  return undefined;
}

/** What a guest is refused that has other addresses than its port, or another MTU than its network. */
const OF_GUESTS: Readonly<Partial<Record<RefusalKind, string>>> = {
  'wrong-mac': 'Give the card of the guest the Ethernet address of the port.',
  'wrong-address':
    "If the address is the guest's own, make its port again with `--address`; a router needs `--trusted`. A link-local address must follow from the Ethernet address (EUI-64).",
  'too-large': 'Give the card of the guest the MTU of the network.',
};

function guestRemedy(id: string, counts: readonly RefusalCount[]): string {
  const hints = counts.flatMap(({ kind }) => OF_GUESTS[kind] ?? []);
  return [`On host0, \`mesh port show ${id}\` tells what the port is for.`, ...hints].join(' ');
}

function remedyOf(agent: Agent, port: string, counts: readonly RefusalCount[]): string {
  const tap = agent.networks.taps.find(({ link }) => link === port);
  if (tap !== undefined) return guestRemedy(tap.id, counts);
  const wanted = agent.ports.list().find((view) => view.interface === port);
  const bridge = agent.networks.all.find(({ id }) => id === wanted?.network)?.bridge?.name;
  const off = `Look at the machine behind ${port}. \`mesh port unplug ${port}\` takes it off the network.`;
  if (bridge === undefined || !counts.every(({ kind }) => OF_ROUTERS.has(kind))) return off;
  return `${off} A router of yours goes there without rules for guests: then \`ip link set ${port} master ${bridge}\`.`;
}

/** What to do about a port that takes larger packets than its network carries. */
export function widePortRemedy(port: string, mtuBytes: number): string {
  return `Give the guest this MTU (\`ip link set eth0 mtu ${mtuBytes}\` in it, or \`<mtu size='${mtuBytes}'/>\` in libvirt's definition), and its port here: \`ip link set ${port} mtu ${mtuBytes}\`.`;
}
