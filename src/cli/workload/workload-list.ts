/** `mesh workload list` and `info`. */
import type { Command } from 'commander';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { Context } from '../context.ts';
import { NAMED } from './workload-changes.ts';
import { workloadTable, workloadText } from './workload-text.ts';

/** Adds the commands to `mesh workload`. */
export function addWorkloadList(workload: Command, context: Context): void {
  workload
    .command('list')
    .alias('ls')
    .description('List the workloads of the cluster, with their states and nodes')
    .option('-n, --node <node>', 'only those on this node')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh workload list')
    .action(async ({ node }: { readonly node?: string }) => {
      const all = await host0Client(context.paths).ask('GET /v1/workloads');
      const views = all.filter((view) => node === undefined || view.node === node || view.machine === node);
      context.answer(views, () => workloadTable(views, context));
    });

  workload
    .command('info')
    .description('Show one workload: state, node, accelerator, disks and cards')
    .requiredOption(...NAMED)
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh workload info -w web1')
    .action(async ({ workload: name }: { readonly workload: string }) => {
      const view = await host0Client(context.paths).ask('GET /v1/workloads/{name}', { path: { name } });
      context.answer(view, () => workloadText(view, context));
    });
}
