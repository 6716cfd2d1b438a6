/** `mesh owner`: the customers of the cluster. */
import { Command } from 'commander';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { Owner } from '../../protocol/documents/order/owner.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { properties } from '../print/properties.ts';
import { type Column, table } from '../print/table.ts';

/** `mesh owner` with its commands. They are for host0. */
export function ownerCommand(context: Context): Command {
  const owner = new Command('owner');
  const host0 = () => host0Client(context.paths);

  owner
    .command('create')
    .description('Make an owner; the hooks of owner-created run afterwards')
    .argument('<name>', 'one word')
    .option('--description <text>', 'a text of one line')
    .addHelpText(
      'after',
      '\nThe command is for host0.\n\nExample:\n  $ mesh owner create acme --description "ACME Ltd"',
    )
    .action(async (name: string, { description }: { readonly description?: string }) => {
      const body = { name, ...(description !== undefined && { description }) };
      const made = await host0().ask('POST /v1/owners', { body });
      context.answer(made, () => printable(`Owner ${name} is made.`).concat('\n'));
    });

  owner
    .command('list')
    .alias('ls')
    .description('List the owners')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh owner list')
    .action(async () => {
      const owners = await host0().ask('GET /v1/owners');
      context.answer(owners, () => table(owners, COLUMNS, context.page) || 'There are no owners.\n');
    });

  owner
    .command('show')
    .description('Show one owner, and what the hooks of owner-created said')
    .argument('<owner>', 'the name of an owner')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh owner show acme')
    .action(async (name: string) => {
      const view = await host0().ask('GET /v1/owners/{name}', { path: { name } });
      context.answer(view, () => ownerText(view, context));
    });

  owner
    .command('announce')
    .description('Run the hooks of owner-created again: for an owner whose hooks failed, or that is older than a hook')
    .argument('<owner>', 'the name of an owner')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh owner announce acme')
    .action(async (name: string) => {
      const view = await host0().ask('POST /v1/owners/{name}/announce', { path: { name } });
      context.answer(view, () => printable(`The hooks of ${name} run.`).concat('\n'));
    });

  owner
    .command('delete')
    .description('Delete an owner')
    .argument('<owner>', 'the name of an owner')
    .option('--force', 'cancel its orders first: all that they made goes')
    .addHelpText(
      'after',
      '\nThe command is for host0. The owner goes when all its orders are undone.\n\nExample:\n  $ mesh owner delete acme --force',
    )
    .action(async (name: string, { force = false }: { readonly force?: boolean }) => {
      const view = await host0().ask('DELETE /v1/owners/{name}', { path: { name }, query: { force } });
      context.answer(view, () => printable(`Owner ${name} is being deleted.`).concat('\n'));
    });

  return owner;
}

function hooksText({ state, faults }: Owner): string {
  if (state === 'new') return 'run';
  return faults.length === 0 ? 'done' : `${faults.length} failed`;
}

const COLUMNS: readonly Column<Owner>[] = [
  { title: 'OWNER', text: ({ name }) => name },
  { title: 'STATE', text: ({ state }) => state, tone: ({ state }) => (state === 'ready' ? 'good' : 'warning') },
  { title: 'HOOKS', text: hooksText, tone: ({ faults }) => (faults.length === 0 ? undefined : 'bad') },
  { title: 'DESCRIPTION', text: ({ description = '' }) => description, flexible: true },
];

function ownerText({ name, state, description, since, hooks, faults }: Owner, { paint }: Context): string {
  const facts: [string, string | undefined][] = [
    ['owner', name],
    ['description', description],
    ['state', state],
    ['since', since],
    ...Object.entries(hooks).map(([hook, answer]): [string, string] => ['hook', `${hook}: ${JSON.stringify(answer)}`]),
    ...faults.flatMap(({ hook, error }): [string, string | undefined][] => [
      ['failed', `${hook}: ${error.message}`],
      ['remedy', error.remedy],
    ]),
  ];
  return properties(facts, paint);
}
