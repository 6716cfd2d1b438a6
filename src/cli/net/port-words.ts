/**
 * The words for ports of libvirt's networks. Programs of libvirt make such ports, over libvirt's protocol, and these words ask over the
 * same socket. Ports that `mesh port create` makes are others: host0 places them on nodes.
 */
import { MeshError } from '../../model/error.ts';
import type { Context } from '../context.ts';
import { netSaid, netTable } from './net-text.ts';
import { given, type NetWord } from './net-word.ts';

const NETWORK = ['<network>', 'its name or UUID'] as const;
const PORT = ['<port>', 'its UUID'] as const;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** virErrorNumber of a network that is not there. */
const NO_NETWORK = 43;

/** The table. */
export const PORT_WORDS: readonly NetWord[] = [
  {
    words: ['net-port-list'],
    description: 'List the ports that programs of libvirt have in a network',
    args: [NETWORK],
    options: [
      ['--uuid', 'a UUID a line'],
      ['--table', 'a table, as without an option'],
    ],
    does: (context, args, { uuid = false }) =>
      inNetwork(context, given(args), async (network) => {
        const ports = (await network.listAllPorts()).map((port) => port.getUuidString());
        const table = () =>
          netTable(
            ['UUID'],
            ports.map((port) => [port]),
          );
        context.answer(ports, uuid ? () => `${ports.map((port) => `${port}\n`).join('')}\n` : table);
      }),
  },
  {
    words: ['net-port-create'],
    description: 'Make a port in a network as a document says',
    args: [NETWORK, ['<file>', 'the document of the port']],
    options: [['--validate', 'refuse what the form of such documents does not have']],
    does: (context, args, { validate = false }) =>
      inNetwork(context, given(args), async (network) => {
        const file = given(args, 1);
        const { readTextFile } = await import('../network/network-input.ts');
        const port = await network.portCreateXml(await readTextFile(file), { validate: validate === true });
        const uuid = port.getUuidString();
        context.answer({ uuid }, () => netSaid(`Network port ${uuid} created from ${file}`));
      }),
  },
  {
    words: ['net-port-dumpxml'],
    description: 'Print the document of a port',
    args: [NETWORK, PORT],
    does: (context, args) =>
      inNetwork(context, given(args), async (network) => {
        const xml = await (await network.portLookupByUuidString(given(args, 1))).getXmlDesc();
        context.answer({ xml }, () => `${xml}\n`);
      }),
  },
  {
    words: ['net-port-delete'],
    description: 'Delete a port of a network',
    args: [NETWORK, PORT],
    does: (context, args) =>
      inNetwork(context, given(args), async (network) => {
        const uuid = given(args, 1);
        await (await network.portLookupByUuidString(uuid)).delete();
        context.answer({ uuid }, () => netSaid(`Network port ${uuid} deleted`));
      }),
  },
];

type Network = Awaited<ReturnType<Awaited<ReturnType<typeof connected>>['networkLookupByName']>>;

/** Opens host0's socket for programs of libvirt, and finds a network there. @throws MESH_NOT_SUPPORTED, MESH_NET_UNKNOWN, MESH_USAGE */
async function inNetwork(context: Context, name: string, work: (network: Network) => Promise<void>): Promise<void> {
  const connection = await connected(context);
  try {
    await work(
      await (UUID.test(name) ? connection.networkLookupByUuidString(name) : connection.networkLookupByName(name)),
    );
  } catch (thrown) {
    throw inOurWords(thrown, name);
  } finally {
    await connection.close().catch(() => undefined);
  }
}

async function connected({ paths }: Context) {
  const { connect } = await import('../../libvirt/client/libvirt.ts');
  return await connect({ socket: paths.libvirtSock }).catch((cause: unknown) => {
    throw new MeshError('MESH_NOT_SUPPORTED', 'host0 does not answer programs of libvirt', {
      object: paths.libvirtSock,
      rule: 'Programs of libvirt make these ports. Those of Meshwork are made by `mesh port create`.',
      remedy: 'Write the line `libvirt=own` into host0.conf, and restart host0',
      cause,
    });
  });
}

function inOurWords(thrown: unknown, name: string): MeshError {
  const code: unknown = thrown instanceof Error ? Reflect.get(thrown, 'code') : undefined;
  if (typeof code !== 'number' || !(thrown instanceof Error)) return MeshError.from(thrown);
  const isUnknown = code === NO_NETWORK;
  return new MeshError(isUnknown ? 'MESH_NET_UNKNOWN' : 'MESH_USAGE', thrown.message, {
    object: name,
    remedy: isUnknown ? 'See `mesh net-list --all`' : 'See `mesh net-port-list`, and `mesh net-info`',
  });
}
