/** `mesh network service` and `mesh network wait`: what nodes serve in a network, and whether they do. */
import { Command } from 'commander';
import { MeshError } from '../../model/error.ts';
import { SERVED_KINDS } from '../../model/network/services/network-service.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { ServiceNodeView, ServiceView } from '../../protocol/documents/service/service-view.ts';
import type { Context } from '../context.ts';
import { durationText } from '../print/duration.ts';
import { wholeNumber } from '../print/number-option.ts';
import { printable } from '../print/printable.ts';
import { Stages } from '../print/stages.ts';
import { type Column, table } from '../print/table.ts';
import { addServiceOptions, type ServiceOptions, serviceKindOf, serviceOf } from './service-options.ts';

/** What takes less than a second leaves no line. */
const SOON_MS = 1_000;
/** A router advertises each four seconds at the latest, and starts in less than one. */
const WAIT_SEC = 60;
const FOR_HOST0 = '\nThe command is for host0.\n';

/** `mesh network service` with its commands. */
export function networkServiceCommand(context: Context): Command {
  const service = new Command('service').description(
    'The services of networks: router advertisements, DHCP, DNS, NAT, routing',
  );

  const set = service
    .command('set')
    .description('Give a network a service, which nodes with the role `router` run for it')
    .argument('<network>', 'its name, its number or its bridge')
    .argument('<kind>', SERVED_KINDS.join(', '))
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh network service set blue ra && mesh network wait blue`)
    .action(async (name: string, kind: string, options: ServiceOptions) => {
      const body = serviceOf(kind, options);
      const view = await host0Client(context.paths).ask('PUT /v1/catalogue/{name}/services', { path: { name }, body });
      context.answer(view, () => printable(`${view.network} has the service ${kind}.`).concat('\n'));
    });

  addServiceOptions(set);

  service
    .command('remove')
    .alias('rm')
    .description('Take a service from a network, after its nodes have said goodbye to the guests')
    .argument('<network>', 'its name, its number or its bridge')
    .argument('<kind>', SERVED_KINDS.join(', '))
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh network service remove blue ra`)
    .action(async (name: string, given: string) => {
      const path = { name, kind: serviceKindOf(given) };
      const view = await host0Client(context.paths).ask('DELETE /v1/catalogue/{name}/services/{kind}', { path });
      context.answer(view, () => printable(`The service ${given} leaves ${view.network}.`).concat('\n'));
    });

  service
    .command('list')
    .alias('ls')
    .description('List the services of a network with the nodes that serve')
    .argument('<network>', 'its name, its number or its bridge')
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh network service list blue`)
    .action(async (name: string) => {
      const views = await host0Client(context.paths).ask('GET /v1/catalogue/{name}/services', { path: { name } });
      context.answer(views, () => servicesText(views, context) || printable(`${name} has no services.`).concat('\n'));
    });

  return service;
}

/** Adds `mesh network wait`. */
export function addNetworkWait(network: Command, context: Context): void {
  network
    .command('wait')
    .description('Wait until all services of a network are ready, and all that were removed are gone')
    .argument('<network>', 'its name, its number or its bridge')
    .option('--timeout <seconds>', `how long, ${WAIT_SEC} by default`, wholeNumber(1, 86_400), WAIT_SEC)
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh network wait blue`)
    .action(async (name: string, { timeout }: { readonly timeout: number }) => {
      const views = await follow(context, name, timeout);
      context.answer(views, () => servicesText(views, context) || printable(`${name} has no services.`).concat('\n'));
    });
}

/** The services of a network with their nodes; empty where there are none. */
export function servicesText(views: readonly ServiceView[], context: Context): string {
  const rows = views.flatMap((view) => {
    const nodes: readonly (ServiceNodeView | undefined)[] = view.nodes.length === 0 ? [undefined] : view.nodes;
    return nodes.map((node) => ({ view, node }));
  });
  return table(rows, COLUMNS, context.page);
}

interface Row {
  readonly view: ServiceView;
  readonly node: ServiceNodeView | undefined;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'SERVICE', text: ({ view }) => view.service.kind },
  { title: 'NODE', text: ({ node }) => node?.node ?? '–' },
  {
    title: 'STATE',
    text: ({ view, node }) => (node === undefined ? (view.why ?? view.state) : stateText(node)),
    flexible: true,
  },
  { title: 'PREFIXES', text: ({ view }) => prefixesText(view), flexible: true },
];

function stateText({ isReached, state }: ServiceNodeView): string {
  if (!isReached) return 'away';
  if (state.state === 'ready') return 'ready';
  if (state.state === 'failed') return `failed: ${state.message}`;
  return `pending for ${durationText(state.ageSec)}: ${state.why}`;
}

function prefixesText({ prefixes = [], withdrawn = [] }: ServiceView): string {
  return [...prefixes, ...withdrawn.map((prefix) => `${prefix} (withdrawn)`)].join(', ') || '–';
}

async function follow(context: Context, name: string, timeoutSec: number): Promise<readonly ServiceView[]> {
  using stages = new Stages(context.stderr, SOON_MS);
  const request = { path: { name }, signal: AbortSignal.timeout(timeoutSec * 1000) };
  let waiting: ServiceView | undefined;
  try {
    for await (const views of host0Client(context.paths).events('GET /v1/catalogue/{name}/services/follow', request)) {
      waiting = views.find(({ state, removing }) => state !== 'ready' || removing === true);
      if (waiting === undefined) {
        stages.end();
        return views;
      }
      stages.show(printable(`waiting for ${waiting.service.kind} of ${name}: ${waiting.why ?? 'it says goodbye'}`));
    }
  } catch (error) {
    if (!request.signal.aborted) throw error;
  }
  throw new MeshError('MESH_NET_NOT_SERVED', `${name} is not served after ${timeoutSec} s`, {
    object: name,
    ...(waiting?.why !== undefined && { cause: waiting.why }),
    remedy: `${waiting?.why === undefined ? '' : `${waiting.why}. `}See \`mesh network service list ${name}\`.`,
  });
}
