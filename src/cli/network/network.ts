/** `mesh network`: the networks of this machine, and the check of network files before they are used. */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { MeshError } from '../../model/error.ts';
import type { Member } from '../../model/network/member.ts';
import { meshDocument } from '../../protocol/documents/mesh-document.ts';
import type { NetworkView } from '../../protocol/documents/views.ts';
import { bestClient } from '../../protocol/http/control-client.ts';
import type { Context } from '../context.ts';
import { inOrder } from '../print/member-order.ts';
import { stateText, stateTone } from '../print/network-state.ts';
import { properties } from '../print/properties.ts';
import { type Column, table } from '../print/table.ts';
import { noNetworksText } from './no-networks.ts';

export function networkCommand(context: Context): Command {
  const network = new Command('network');

  network
    .command('list')
    .alias('ls')
    .description('List the networks with their state')
    .addHelpText('after', '\nExample:\n  $ mesh network list')
    .action(async () => {
      const { paths } = context;
      const views = await fetchNetworks(context);
      const directory = existsSync(paths.host0) ? paths.host0Networks : paths.nodeNetworks;
      context.answer(views, () => table(views, LIST_COLUMNS, context.page) || noNetworksText(directory));
    });

  network
    .command('show')
    .description('Show one network: addresses, devices and members')
    .argument('<network>', 'its name, its VNI or its bridge')
    .addHelpText('after', '\nExample:\n  $ mesh network show manage')
    .action(async (wanted: string) => {
      const view = findNetwork(await fetchNetworks(context), wanted);
      context.answer(view, () => networkText(view, context));
    });

  network
    .command('check')
    .description('Check network files without using them; exit code 1 when one of them is wrong')
    .argument('<file...>', 'network files; they are also checked against each other')
    .addHelpText('after', '\nExample:\n  $ mesh network check /host0/network/*.conf')
    .action(async (files: string[]) => {
      const { checkNetworkFiles } = await import('./network-check.ts');
      await checkNetworkFiles(context, files);
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

const LIST_COLUMNS: readonly Column<NetworkView>[] = [
  { title: 'NAME', text: ({ network }) => network.name },
  { title: 'STATE', text: ({ state }) => stateText(state), flexible: true, tone: ({ state }) => stateTone(state) },
  { title: 'VNI', text: ({ network }) => String(network.type.vni), align: 'right' },
  { title: 'BRIDGE', text: ({ network }) => network.bridge.name },
  { title: 'PREFIX', text: ({ network }) => network.hostAddress.prefix },
  { title: 'MEMBERS', text: ({ members }) => String(members.length), align: 'right' },
];

const MEMBER_COLUMNS: readonly Column<Member>[] = [
  { title: 'NAME', text: (member) => member.name, flexible: true },
  { title: 'IPV4', text: (member) => member.ipv4 },
  { title: 'MAC', text: (member) => member.mac },
  { title: 'IPV6', text: (member) => member.ipv6 },
];

async function fetchNetworks(context: Context): Promise<readonly NetworkView[]> {
  return (await bestClient(context.paths)).ask('GET /v1/networks');
}

/** @throws MESH_NET_UNKNOWN */
function findNetwork(views: readonly NetworkView[], wanted: string): NetworkView {
  const found = views.find(({ network: { id, name, bridge, type } }) =>
    [name, id, String(type.vni), bridge.name, type.device].includes(wanted),
  );
  if (found !== undefined) return found;
  const names = views.map(({ network }) => network.name);
  throw new MeshError('MESH_NET_UNKNOWN', `there is no network ${JSON.stringify(wanted)} on this machine`, {
    operation: 'show network',
    object: wanted,
    remedy: names.length === 0 ? 'This machine has no networks yet.' : `It has ${names.join(', ')}.`,
  });
}

function networkText({ network, state, self, members, host0Answers }: NetworkView, context: Context): string {
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
