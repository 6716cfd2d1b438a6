/** `mesh status`: the state of this machine on one screen, with a remedy for each finding. */
import { Command } from 'commander';
import { machineOfHost0 } from '../../model/host0-device.ts';
import { agentClient, host0Client } from '../../protocol/calls/control-client.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { formatVersion } from '../../protocol/documents/membership.ts';
import { readinessOf } from '../../protocol/documents/readiness.ts';
import type {
  AgentStatus,
  AssignmentView,
  GivenNetworkView,
  Host0Status,
  JoinReason,
  JoinView,
  NetworkView,
} from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import { channelText } from '../print/channel-text.ts';
import { durationText } from '../print/duration.ts';
import { byNodeName, inOrder, membersText } from '../print/member-order.ts';
import { ownAddressText } from '../print/network-address.ts';
import { stateText, stateTone, stateWord } from '../print/network-state.ts';
import { printable } from '../print/printable.ts';
import { properties } from '../print/properties.ts';
import { type Column, table } from '../print/table.ts';

/** More networks or members would not fit on one screen; `mesh network list` and `mesh network show` have all of them. */
const NETWORKS_SHOWN = 10;
const MEMBERS_SHOWN = 8;

export function statusCommand(context: Context): Command {
  return new Command('status')
    .addHelpText(
      'after',
      '\nExit code 0 when all is in place and host0 answers, 1 when something is not, 3 when the agent does not run.\n' +
        'A network that waits goes on carrying what it carried.\n\nExample:\n  $ mesh status',
    )
    .action(async () => {
      const agent = await agentClient(context.paths).ask('GET /v1/status');
      const host0 = await fetchHost0(context, agent);
      const health = [...agent.health, ...(host0?.health ?? [])];
      // The answer of `/ready`, so that scripts and load balancers never disagree.
      const isReady = [agent, ...(host0 === undefined ? [] : [host0])].every((status) => readinessOf(status).ready);
      if (!isReady) context.exitCode = 1;
      context.answer({ agent, ...(host0 && { host0 }) }, () => statusText(agent, host0, health, context));
    });
}

/** Undefined where host0's daemon does not run, or accepts no connections. That is no finding: it runs on one machine, and the agents judge its health. */
async function fetchHost0({ paths }: Context, { health }: AgentStatus): Promise<Host0Status | undefined> {
  // It would keep the command waiting. Its agent has its finding.
  if (health.some(({ code }) => code === 'MESH_HOST0_DEAF')) return undefined;
  const host0 = host0Client(paths);
  return (await host0.answers()) ? host0.ask('GET /v1/status') : undefined;
}

/** A mesh, or a network that host0 has given. */
type HereView = NetworkView | GivenNetworkView;

const NETWORK_COLUMNS: readonly Column<HereView>[] = [
  { title: 'NETWORK', text: ({ network }) => network.name },
  { title: 'STATE', text: ({ state }) => stateWord(state), tone: ({ state }) => stateTone(state) },
  { title: 'BRIDGE', text: ({ network }) => network.bridge?.name ?? '–' },
  { title: 'ADDRESS', text: ({ self }) => ownAddressText(self) },
  { title: 'MEMBERS', text: membersText, align: 'right' },
];

function networksText(views: readonly HereView[], { page, paint }: Context): string {
  if (views.length === 0) return 'No networks yet.\n';
  const isReady = ({ state }: HereView) => Number(state.phase === 'ready');
  const shown = views.toSorted((a, b) => isReady(a) - isReady(b)).slice(0, NETWORKS_SHOWN);
  const rest = views.length - shown.length;
  const more = rest === 0 ? '' : `and ${rest} more: see \`mesh network list\`\n`;
  const details = shown.map((view) => [view.network.name, detailText(view)] as const);
  return `${table(shown, NETWORK_COLUMNS, page)}${more}\n${properties(details, paint)}`;
}

/** The first members, or the other nodes that hold the network; and the reason if the network is not ready. */
function detailText(view: HereView): string {
  const { state } = view;
  const names = 'members' in view ? inOrder(view.members).map(({ name }) => name) : othersOf(view);
  const rest = names.length - MEMBERS_SHOWN;
  const list = names.slice(0, MEMBERS_SHOWN).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
  return state.phase === 'ready' ? list : `${list}; ${stateText(state)}`;
}

function othersOf({ peers }: GivenNetworkView): readonly string[] {
  if (peers === undefined) return ['host0 does not name the other nodes'];
  return peers.length === 0 ? ['no other node yet'] : ['this node', ...byNodeName(peers).map(({ name }) => name)];
}

function statusText(
  agent: AgentStatus,
  host0: Host0Status | undefined,
  health: readonly Finding[],
  context: Context,
): string {
  const { owned, pending, failed } = agent.items;
  const unwell = [pending > 0 ? `${pending} being made` : '', failed > 0 ? `${failed} failed` : ''].filter(Boolean);
  const about = properties(
    [
      ['node', agent.node],
      ['machine', agent.machine],
      ['agent', `${agent.version}, up ${durationText(agent.upSec)}`],
      ['host0', host0Text(agent, host0)],
      ['leader', leaderText(agent, host0)],
      ['channel', agent.channel && channelText(agent.channel)],
      ['assignment', agent.assignment && assignmentText(agent.assignment)],
      ['segments', host0?.segments.map(({ device, subnet }) => `${subnet} on ${device}`).join(', ')],
      ['may join', host0?.joins?.map(joinText).join('; ')],
      ['kernel', `${owned} items, ${unwell.length === 0 ? 'all in place' : unwell.join(', ')}`],
    ],
    context.paint,
  );
  return `${about}\n${networksText([...agent.networks, ...(agent.given ?? [])], context)}\n${healthText(health, context)}`;
}

const ADMITTED = {
  open: 'every machine',
  known: 'machines with a folder',
  token: 'machines that host0 booted',
  none: 'nobody',
} as const satisfies Record<JoinView['admits'], string>;

const WHY = {
  named: 'host0.conf names it',
  'no default route': 'it has no default route',
  'only NIC': 'it is the only NIC',
  'default route': 'it has the default route',
  off: 'its boot mode is off',
  'unfit name': 'rules cannot hold its name',
} as const satisfies Record<JoinReason, string>;

function joinText({ device, subnet, admits, why }: JoinView): string {
  return `${ADMITTED[admits]} of ${subnet} on ${printable(device)} (${WHY[why]})`;
}

function assignmentText(view: AssignmentView): string {
  if (view.state === 'pending') return `pending (${view.why}): host0 tells this node what it should have`;
  const { version, from, kept } = view;
  const source = from === 'disk' ? ', from the disk: host0 has not told it since the start' : '';
  return `${formatVersion(version)}${source}${kept ? '' : ', not on the disk: it will not survive a restart'}`;
}

function host0Text(agent: AgentStatus, host0: Host0Status | undefined): string {
  if (host0 !== undefined) {
    const { version, upSec, nodesOnline, epoch, revision } = host0;
    return `${version}, here, up ${durationText(upSec)}, ${nodesOnline} ${nodesOnline === 1 ? 'node' : 'nodes'} online, member list ${epoch}.${revision}`;
  }
  const answering = agent.networks.filter((view) => view.host0Answers);
  const heard =
    agent.networks.length === 0 ? '' : `, answers in ${answering.length} of ${agent.networks.length} networks`;
  return agent.host0.length === 0 ? 'not known' : `${agent.host0.join(', ')}${heard}`;
}

/** Which of several host0s leads: as this machine's own tells, else as host0 is called in the first mesh. */
function leaderText(agent: AgentStatus, host0: Host0Status | undefined): string | undefined {
  const { leadership } = host0 ?? {};
  if (leadership?.state === 'waits') {
    const why = leadership.why === undefined ? 'this host0 waits' : `this host0 must not lead: ${leadership.why}`;
    return printable(`${leadership.leader ?? 'none at present'}; ${why}`);
  }
  const heard = agent.networks.flatMap(({ members }) => machineOfHost0(members[0]?.name ?? '') ?? [])[0];
  const name = leadership?.leader ?? heard;
  return name === undefined ? undefined : printable(name);
}

function healthText(health: readonly Finding[], { paint }: Context): string {
  if (health.length === 0) return `${paint('good', 'Healthy:')} nothing needs attention.\n`;
  return health
    .map(({ code, severity, object, message, remedy }) => {
      const word = paint(severity === 'error' ? 'bad' : 'warning', severity);
      return `${word} ${code} ${printable(object)}: ${printable(message)}\n  → ${printable(remedy)}\n`;
    })
    .join('');
}
