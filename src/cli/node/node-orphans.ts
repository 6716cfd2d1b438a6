/** `mesh node orphans`: what nodes have from another store of host0 than the present one. */
import { Command } from 'commander';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { NodeOrphan } from '../../protocol/documents/node-assignment.ts';
import type { Context } from '../context.ts';
import { type Column, table } from '../print/table.ts';

export function nodeOrphansCommand(context: Context): Command {
  const orphans = new Command('orphans').description('What nodes have from an earlier store of host0');

  orphans
    .command('list')
    .alias('ls')
    .description('List what nodes have that the present store of host0 does not know')
    .addHelpText(
      'after',
      "\nAfter host0's store was restored from a backup, or replaced, nodes keep what it does not know, and go on\n" +
        'working.\n\nExample:\n  $ mesh node orphans list',
    )
    .action(async () => {
      const list = await host0Client(context.paths).ask('GET /v1/orphans');
      context.answer(list, () => table(list, COLUMNS, context.page) || 'No node has an orphan.\n');
    });

  orphans
    .command('adopt')
    .description('Take an orphan up into the store, for all nodes that have it')
    .argument('<name>', 'the name or identifier of the orphan')
    .addHelpText('after', '\nExample:\n  $ mesh node orphans adopt blue')
    .action(async (name: string) => {
      const [orphan] = await found(context, name);
      await host0Client(context.paths).ask('POST /v1/orphans/adopt', { body: orphanName(orphan) });
      context.answer(orphanName(orphan), () => `${name} is in the store of host0 again.\n`);
    });

  orphans
    .command('release')
    .description('Let an orphan go: the nodes that have it remove it')
    .argument('<name>', 'the name or identifier of the orphan')
    .option('--node <node>', 'only on this node')
    .addHelpText(
      'after',
      '\nA workload that is released ends, and the disks that were made for it go.\n\n' +
        'Example:\n  $ mesh node orphans release blue --node node1',
    )
    .action(async (name: string, { node }: { node?: string }) => {
      const list = await found(context, name, node);
      for (const orphan of list) {
        await host0Client(context.paths).ask('POST /v1/orphans/release', { body: orphanName(orphan) });
      }
      const nodes = list.map((orphan) => orphan.node).join(', ');
      context.answer(list.map(orphanName), () => `${name} is released on ${nodes}.\n`);
    });

  return orphans;
}

const COLUMNS: readonly Column<NodeOrphan>[] = [
  { title: 'NODE', text: ({ node }) => node, flexible: true },
  { title: 'KIND', text: ({ kind }) => kind },
  { title: 'NAME', text: nameOfOrphan, flexible: true },
  { title: 'ID', text: ({ id }) => id },
  { title: 'EPOCH', text: ({ epoch }) => epoch },
];

function orphanName({ machine, kind, id, epoch }: NodeOrphan) {
  return { machine, kind, id, epoch };
}

/** The name of the network or workload in the orphan's document; else its identifier. */
function nameOfOrphan({ id, document }: NodeOrphan): string {
  const names = ['network', 'workload'].map((part): unknown =>
    Reflect.get(Object(Reflect.get(Object(document), part)), 'name'),
  );
  return names.find((name) => typeof name === 'string') ?? id;
}

/** @throws MESH_OBJECT_UNKNOWN when there is no such orphan */
async function found(context: Context, name: string, node?: string): Promise<[NodeOrphan, ...NodeOrphan[]]> {
  const list = await host0Client(context.paths).ask('GET /v1/orphans');
  const named = list.filter((orphan) => orphan.id === name || nameOfOrphan(orphan) === name);
  const [first, ...others] = named.filter(
    (orphan) => node === undefined || node === orphan.node || node === orphan.machine,
  );
  if (first !== undefined) return [first, ...others];
  throw new MeshError('MESH_OBJECT_UNKNOWN', `no node has an orphan ${JSON.stringify(name)}`, {
    object: name,
    remedy: 'See `mesh node orphans list`.',
  });
}
