/**
 * `mesh port`: interfaces of virtual machines and services in networks. `plug` and `unplug` are for interfaces of this machine;
 * `create`, `move` and `delete` are given on host0, which places ports on any node.
 */
import { Command } from 'commander';
import { agentClient } from '../../protocol/calls/control-client.ts';
import type { AgentStatus, PortView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { type Column, table } from '../print/table.ts';
import { addPlacedPortCommands, listPlacedPorts } from './placed-port.ts';

/** `mesh port` with its commands. */
export function portCommand(context: Context): Command {
  const port = new Command('port');

  port
    .command('plug')
    .description('Plug an interface into a network; if the interface is made again, it is plugged again')
    .argument('<network>', 'the name of a network of this machine')
    .argument('<interface>', 'a tap, veth or other interface of this machine')
    .addHelpText('after', '\nExample:\n  $ mesh port plug manage tap0')
    .action(async (network: string, name: string) => {
      const view = await agentClient(context.paths).ask('PUT /v1/ports/{interface}', {
        path: { interface: name },
        body: { network },
      });
      context.answer(view, () => pluggedText(view, network));
    });

  port
    .command('unplug')
    .description('Take an interface out of its network; the interface itself stays')
    .argument('<interface>', 'an interface that is plugged')
    .addHelpText('after', '\nExample:\n  $ mesh port unplug tap0')
    .action(async (name: string) => {
      await agentClient(context.paths).ask('DELETE /v1/ports/{interface}', { path: { interface: name } });
      context.answer({ interface: name }, () => `${name} is no longer plugged.\n`);
    });

  addPlacedPortCommands(port, context);

  port
    .command('list')
    .alias('ls')
    .description('List the plugged interfaces of this machine, or with --all the ports that host0 has placed')
    .option('--all', 'on host0: the ports that host0 has placed, on all nodes')
    .addHelpText('after', '\nExamples:\n  $ mesh port list\n  $ mesh port list --all')
    .action(async ({ all = false }: { all?: boolean }) => {
      if (all) return listPlacedPorts(context);
      const agent = agentClient(context.paths);
      const [ports, status] = await Promise.all([agent.ask('GET /v1/ports'), agent.ask('GET /v1/status')]);
      context.answer(ports, () => portsText(ports, status, context));
    });

  return port;
}

function pluggedText({ interface: name, state, why, down }: PortView, network: string): string {
  const hint = down === true ? `It is down, and no frame passes until it is up: \`ip link set ${name} up\`.\n` : '';
  if (state === 'plugged') return `${name} is plugged into ${network}.\n${hint}`;
  if (why !== undefined) return `${name} waits: ${why}. It is plugged into ${network} when that changes.\n`;
  return `${name} does not exist yet; it is plugged into ${network} as soon as it does.\n`;
}

/** A line for each port, and below the lines why ports wait. */
export function portsText(
  ports: readonly PortView[],
  { networks, given = [] }: Pick<AgentStatus, 'networks' | 'given'>,
  { page }: Pick<Context, 'page'>,
): string {
  if (ports.length === 0) return 'Nothing is plugged.\n';
  const known = [...networks, ...given].map(({ network }) => network);
  const rows = ports.map((view): PortRow => {
    const network = known.find(({ id }) => id === view.network);
    return { ...view, name: view.networkName ?? network?.name ?? view.network, carriesBytes: network?.mtuBytes };
  });
  const waiting = rows.flatMap((row) =>
    row.why === undefined ? [] : [`${printable(`${row.interface} waits: ${row.why}`)}.\n`],
  );
  return table(rows, COLUMNS, page) + (waiting.length === 0 ? '' : `\n${waiting.join('')}`);
}

interface PortRow extends PortView {
  readonly name: string;
  /** The MTU of the network; undefined when it is not known. */
  readonly carriesBytes: number | undefined;
}

const COLUMNS: readonly Column<PortRow>[] = [
  { title: 'INTERFACE', text: (port) => port.interface },
  { title: 'NETWORK', text: (port) => port.name },
  {
    title: 'STATE',
    text: stateText,
    tone: (port) => (['plugged', 'bound'].includes(stateText(port)) ? 'good' : 'warning'),
  },
  { title: 'MTU', text: mtuText, tone: (port) => (isWide(port) ? 'warning' : undefined) },
  { title: 'REFUSED', text: refusedText, tone: (port) => (port.refused?.length ? 'warning' : undefined) },
];

function stateText({ state, bound, down }: PortRow): string {
  if (bound === true && state === 'plugged') return 'bound';
  return down === true ? `${state}, down` : state;
}

function isWide({ mtuBytes = 0, carriesBytes = Number.POSITIVE_INFINITY }: PortRow): boolean {
  return mtuBytes > carriesBytes;
}

/** `1380`, or `1500 > 1380`: the guest may send larger packets than the network carries. */
function mtuText(port: PortRow): string {
  if (port.mtuBytes === undefined) return '–';
  return isWide(port) ? `${port.mtuBytes} > ${port.carriesBytes}` : String(port.mtuBytes);
}

/** What the rules for guests refused: `12 router, 3 tagged`. */
function refusedText({ refused = [] }: PortView): string {
  return refused.map(({ kind, frames }) => `${frames} ${kind}`).join(', ') || '–';
}
