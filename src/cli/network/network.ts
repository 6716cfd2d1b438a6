/** `mesh network`: the networks of this machine, and the check of network files before they are used. */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { MeshError } from '../../model/error.ts';
import type { Member } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import { hexNumber } from '../../model/network/number.ts';
import { agentClient, host0Client } from '../../protocol/calls/control-client.ts';
import type { RefusedDocument } from '../../protocol/documents/catalogue.ts';
import { meshDocument } from '../../protocol/documents/mesh-document.ts';
import type { ServiceView } from '../../protocol/documents/service/service-view.ts';
import type { NetworkView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import { inOrder, membersText } from '../print/member-order.ts';
import { prefixText } from '../print/network-address.ts';
import { stateText, stateTone } from '../print/network-state.ts';
import { properties } from '../print/properties.ts';
import { type Column, table } from '../print/table.ts';
import { type GivenRow, givenText, hereText, hereTone, withStates } from './given-text.ts';
import { addNetworkChanges, answerInXml, answerInYaml, YAML } from './network-changes.ts';
import { addNetworkDefinitions } from './network-definitions.ts';
import { addNetworkEvents } from './network-events.ts';
import { addNetworkLeases } from './network-leases.ts';
import { addNetworkWait, networkServiceCommand, servicesText } from './network-service.ts';
import { keptText, typeText } from './network-text.ts';
import { noNetworksText } from './no-networks.ts';
import { refusedText } from './refused-text.ts';

export function networkCommand(context: Context): Command {
  const network = new Command('network');

  network
    .command('list')
    .alias('ls')
    .description('List the networks with their state')
    .addHelpText('after', '\nExample:\n  $ mesh network list')
    .action(async () => {
      const { paths } = context;
      const [rows, refused] = await Promise.all([fetchRows(context), fetchRefused(context)]);
      const directory = existsSync(paths.host0) ? paths.host0Networks : paths.nodeNetworks;
      const columns = rows.some((row) => bootText(row) !== '') ? [...LIST_COLUMNS, BOOT_COLUMN] : LIST_COLUMNS;
      const list = () => table(rows, columns, context.page) || noNetworksText(directory);
      context.answer(rows, () => list() + refusedText(refused, context));
    });

  network
    .command('show')
    .description('Show one network: addresses, devices and members')
    .argument('<network>', 'its name, its number or its bridge')
    .option('--yaml', YAML)
    .option('--xml', 'print the whole network as libvirt’s XML, as `mesh network apply` and virsh read it')
    .addHelpText(
      'after',
      '\nExamples:\n  $ mesh network show manage\n  $ mesh network show blue --yaml > blue.yaml\n' +
        '  $ mesh network show blue --xml > blue.xml',
    )
    .action(
      async (wanted: string, { yaml = false, xml = false }: { readonly yaml?: boolean; readonly xml?: boolean }) => {
        const row = findNetwork(await fetchRows(context), wanted);
        if (yaml && xml)
          throw new MeshError('MESH_USAGE', 'an answer is in YAML or in XML', { remedy: 'Leave --yaml or --xml out' });
        if (xml) return answerInXml(context, row.network);
        if (yaml) return answerInYaml(context, row.network);
        if ('members' in row) return context.answer(row, () => meshText(row, context));
        const whole = await withHolders(row, context);
        const services = await servicesOf(row, context);
        const answer = { ...whole, ...(services.length > 0 && { services }) };
        context.answer(answer, () => givenText(whole, context) + servicesPart(services, context));
      },
    );

  addNetworkChanges(network, context);
  network.addCommand(networkServiceCommand(context));
  addNetworkWait(network, context);
  addNetworkLeases(network, context);
  addNetworkDefinitions(network, context);
  addNetworkEvents(network, context);

  network
    .command('check')
    .description('Check network files without using them; exit code 1 when one of them is wrong')
    .argument('<file...>', 'network files, which are also checked against each other; or documents in XML')
    .option('--validate', 'refuse what nobody knows in documents in XML, as `virsh net-define --validate` does')
    .addHelpText(
      'after',
      '\nExamples:\n  $ mesh network check /host0/network/*.conf\n  $ mesh network check --validate blue.xml',
    )
    .action(async (files: string[], { validate = false }: { readonly validate?: boolean }) => {
      const { checkNetworkFiles } = await import('./network-check.ts');
      await checkNetworkFiles(context, files, validate);
    });

  network
    .command('conf')
    .description('Print the file of a new network, with a random prefix and number')
    .argument('<name>', 'its name, one word')
    .addHelpText(
      'after',
      '\nhost0 and each machine that takes part get the same file. Two calls give two networks that do not collide.\n' +
        '\nExample:\n  $ mesh network conf storage > storage.conf',
    )
    .action(async (name: string) => {
      const { explainedMeshConf, newMesh } = await import('../../formats/conf/new-mesh.ts');
      const mesh = newMesh(name);
      context.answer(meshDocument(mesh), () => explainedMeshConf(mesh));
    });

  return network;
}

type NetworkRow = NetworkView | GivenRow;

const LIST_COLUMNS: readonly Column<NetworkRow>[] = [
  { title: 'NAME', text: ({ network }) => network.name },
  {
    title: 'STATE',
    text: (row) => ('members' in row ? stateText(row.state) : hereText(row)),
    flexible: true,
    tone: (row) => ('members' in row ? stateTone(row.state) : hereTone(row)),
  },
  { title: 'TYPE', text: ({ network }) => typeText(network) },
  { title: 'NUMBER', text: ({ network }) => numberText(network), align: 'right' },
  { title: 'BRIDGE', text: ({ network }) => network.bridge?.name ?? '–' },
  { title: 'PREFIX', text: ({ network }) => prefixText(network) },
  { title: 'MEMBERS', text: membersText, align: 'right' },
];

/** Only where something was said of a network: all others are after a boot as they were before. */
const BOOT_COLUMN: Column<NetworkRow> = { title: 'AT BOOT', text: bootText };

function bootText(row: NetworkRow): string {
  return 'members' in row ? '' : keptText(row);
}

const MEMBER_COLUMNS: readonly Column<Member>[] = [
  { title: 'NAME', text: (member) => member.name, flexible: true },
  { title: 'IPV4', text: (member) => member.ipv4 },
  { title: 'MAC', text: (member) => member.mac },
  { title: 'IPV6', text: (member) => member.ipv6 },
];

/** The networks of this machine: its meshes, those that host0 has given, and on host0 all others of the catalogue. */
async function fetchRows({ paths }: Context): Promise<readonly NetworkRow[]> {
  const [host0, agent] = [host0Client(paths), agentClient(paths)];
  if (!(await host0.answers())) {
    const [meshes, given] = await Promise.all([agent.ask('GET /v1/networks'), orNone(agent.ask('GET /v1/given'))]);
    return [...meshes, ...given];
  }
  const [views, catalogue, given] = await Promise.all([
    host0.ask('GET /v1/networks'),
    orNone(host0.ask('GET /v1/catalogue')),
    agent.answers().then((runs) => (runs ? orNone(agent.ask('GET /v1/given')) : [])),
  ]);
  const known = new Set(views.map(({ network }) => network.id));
  const others = catalogue.filter(({ network }) => !known.has(network.id));
  return [...views, ...withStates(others, given)];
}

/** On host0, the documents in its store that are not taken up. */
async function fetchRefused({ paths }: Context): Promise<readonly RefusedDocument[]> {
  const host0 = host0Client(paths);
  return (await host0.answers()) ? await orNone(host0.ask('GET /v1/refused-documents')) : [];
}

/** On host0, with the nodes that have ports in the network. */
async function withHolders(row: GivenRow, { paths }: Context): Promise<GivenRow> {
  if (row.activity === undefined) return row;
  const { holders, multicast } = await host0Client(paths).ask('GET /v1/catalogue/{name}', {
    path: { name: row.network.id },
  });
  return { ...row, ...(holders !== undefined && { holders }), ...(multicast !== undefined && { multicast }) };
}

/** On host0: the services of a network. An older host0 knows none. */
async function servicesOf({ activity, network }: GivenRow, { paths }: Context): Promise<readonly ServiceView[]> {
  if (activity === undefined) return [];
  const path = { name: network.id };
  return await orNone(host0Client(paths).ask('GET /v1/catalogue/{name}/services', { path }));
}

function servicesPart(services: readonly ServiceView[], context: Context): string {
  return services.length === 0 ? '' : `\n${servicesText(services, context)}`;
}

/** The list; an empty one from a process of an earlier version, which does not have such a list. */
async function orNone<T>(list: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await list;
  } catch (error) {
    if (MeshError.from(error).code === 'MESH_OBJECT_UNKNOWN') return [];
    throw error;
  }
}

/** @throws MESH_NET_UNKNOWN */
function findNetwork(views: readonly NetworkRow[], wanted: string): NetworkRow {
  const named = views.find(({ network }) => network.name === wanted);
  const found = named ?? views.find(({ network }) => namesOf(network).includes(wanted));
  if (found !== undefined) return found;
  const names = views.map(({ network }) => network.name);
  throw new MeshError('MESH_NET_UNKNOWN', `there is no network ${JSON.stringify(wanted)} on this machine`, {
    operation: 'show network',
    object: wanted,
    remedy: names.length === 0 ? 'This machine has no networks yet.' : `It has ${names.join(', ')}.`,
  });
}

function namesOf({ id, number, bridge, type }: Network): readonly (string | undefined)[] {
  const device = type.kind === 'vxlan' ? type.device : undefined;
  return [id, String(number), `0x${hexNumber(number)}`, bridge?.name, device];
}

/** As the devices have it: in decimal for a mesh, in hexadecimal for all others. */
function numberText({ number, source }: Network): string {
  return source === 'file' ? String(number) : `0x${hexNumber(number)}`;
}

function meshText({ network, state, self, members, host0Answers }: NetworkView, context: Context): string {
  const { type, bridge, hostAddress } = network;
  const about = properties(
    [
      ['network', network.name],
      ['state', stateText(state)],
      ['host0', host0Answers === undefined ? undefined : host0Answers ? 'answers' : 'does not answer'],
      ['vni', String(type.vni)],
      ['key', hostAddress.key],
      ['prefix', hostAddress.prefix],
      ['mtu', `${network.mtuBytes} bytes`],
      ['devices', `${type.device} in ${bridge.name}`],
      ['here', `${self.mac}  ${self.ipv6}`],
    ],
    context.paint,
  );
  return `${about}\n${table(inOrder(members), MEMBER_COLUMNS, context.page)}`;
}
