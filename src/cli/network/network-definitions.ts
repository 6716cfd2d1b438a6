/** `mesh network define|undefine|autostart|plan`: definitions of networks, apart from whether they run. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { change, plannedQuery, PLAN_OF_NETWORK, WANTED } from './network-changes.ts';

interface DefinitionOptions {
  readonly plan?: boolean;
}

/** Adds the commands to `mesh network`. */
export function addNetworkDefinitions(network: Command, context: Context): void {
  network
    .command('define')
    .description('Define a network as a document says, without starting it')
    .argument('<file>', 'the document; - is standard input')
    .option('--plan', PLAN_OF_NETWORK)
    .addHelpText(
      'after',
      '\nA network that runs stays as it is: the new definition is in force after a stop and a start.\n' +
        '\nExamples:\n  $ mesh network define blue.yaml\n  $ mesh network start blue',
    )
    .action(async (file: string, options: DefinitionOptions) => {
      const { readNetworkDocument } = await import('./network-input.ts');
      const { order: body, source } = await readNetworkDocument(file);
      const query = { ...plannedQuery(options), source };
      await change(context, {}, (host0) => host0.ask('PUT /v1/definitions', { body, query }));
    });

  network
    .command('undefine')
    .description('Give a definition up: a network that runs goes when it is stopped, another one at once')
    .argument('<network>', WANTED)
    .option('--plan', PLAN_OF_NETWORK)
    .addHelpText('after', '\nExample:\n  $ mesh network undefine blue')
    .action(async (name: string, options: DefinitionOptions) => {
      await change(context, {}, (host0) =>
        host0.ask('DELETE /v1/definitions/{name}', { path: { name }, query: plannedQuery(options) }),
      );
    });

  network
    .command('autostart')
    .description('Start a network with each boot of host0, or leave it stopped then')
    .argument('<network>', WANTED)
    .option('--disable', 'leave it stopped at a boot')
    .addHelpText(
      'after',
      '\nA network for which neither was said is after a boot as it was before. One that is stopped by hand stays stopped until the\n' +
        'machine of host0 boots.\n\nExamples:\n  $ mesh network autostart blue\n  $ mesh network autostart blue --disable',
    )
    .action(async (name: string, { disable = false }: { readonly disable?: boolean }) => {
      const query = { on: !disable };
      await change(context, {}, (host0) => host0.ask('POST /v1/catalogue/{name}/autostart', { path: { name }, query }));
    });

  network
    .command('plan')
    .description('Show what a document would make or change, and change nothing')
    .argument('<file>', 'the document; - is standard input')
    .addHelpText('after', '\nExample:\n  $ mesh network plan blue.yaml')
    .action(async (file: string) => {
      const { readNetworkDocument } = await import('./network-input.ts');
      const { order: body } = await readNetworkDocument(file);
      await change(context, {}, (host0) => host0.ask('PUT /v1/catalogue', { body, query: { 'dry-run': true } }));
    });
}
