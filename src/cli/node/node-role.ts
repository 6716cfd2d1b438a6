/** `mesh node role`: the roles of nodes. Networks with the span `roles` are on the nodes that have one of them. */
import { Command } from 'commander';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { NodeRolesView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { type Column, table } from '../print/table.ts';

/** `mesh node role` with its commands. They are for host0. */
export function nodeRoleCommand(context: Context): Command {
  const role = new Command('role').description('The roles of nodes: a network can span all nodes of a role');
  const change = async (method: 'PUT' | 'DELETE', node: string, roles: readonly string[]): Promise<void> => {
    const host0 = host0Client(context.paths);
    let view: NodeRolesView | undefined;
    for (const word of roles)
      view = await host0.ask(`${method} /v1/roles/{node}/{role}`, { path: { node, role: word } });
    context.answer(view, () => (view === undefined ? '' : rolesText(view)));
  };

  role
    .command('add')
    .description('Give a node roles: the networks that span one of them come to the node')
    .argument('<node>', 'the node, by its name or machine id')
    .argument('<role...>', 'a word of yours, such as router')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh node role add node1 router edge')
    .action((node: string, roles: readonly string[]) => change('PUT', node, roles));

  role
    .command('remove')
    .description(
      'Take roles from a node: networks that span none of its roles leave the node, if it has no port in them',
    )
    .argument('<node>', 'the node, by its name or machine id')
    .argument('<role...>', 'a role of the node')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh node role remove node1 edge')
    .action((node: string, roles: readonly string[]) => change('DELETE', node, roles));

  role
    .command('list')
    .alias('ls')
    .description('List the nodes that have roles')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh node role list')
    .action(async () => {
      const list = await host0Client(context.paths).ask('GET /v1/roles');
      context.answer(list, () => table(list, COLUMNS, context.page) || 'No node has a role.\n');
    });

  return role;
}

const COLUMNS: readonly Column<NodeRolesView>[] = [
  { title: 'NODE', text: ({ node }) => node, flexible: true },
  { title: 'MACHINE', text: ({ machine }) => machine },
  { title: 'ROLES', text: ({ roles }) => roles.join(', '), flexible: true },
];

function rolesText({ node, roles }: NodeRolesView): string {
  return printable(roles.length === 0 ? `${node} has no role.` : `${node} has the roles ${roles.join(', ')}.`).concat(
    '\n',
  );
}
