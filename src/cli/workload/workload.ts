/** `mesh workload`: virtual machines on the nodes of the cluster. */
import { Command } from 'commander';
import type { Context } from '../context.ts';
import { workloadConsoleCommand, workloadLogCommand } from './console.ts';
import { workloadImageCommand } from './image.ts';
import { workloadVncCommand } from './vnc.ts';
import { addWorkloadChanges } from './workload-changes.ts';
import { addWorkloadList } from './workload-list.ts';
import { addWorkloadRun } from './workload-run.ts';

export function workloadCommand(context: Context): Command {
  const workload = new Command('workload');
  addWorkloadRun(workload, context);
  addWorkloadList(workload, context);
  addWorkloadChanges(workload, context);

  workload
    .command('check')
    .description('Check workload files without using them; exit code 1 when one of them is wrong')
    .argument('<file...>', 'workload files; they are also checked against each other')
    .addHelpText('after', '\nExample:\n  $ mesh workload check /var/pxen/monoliths/*.conf')
    .action(async (files: string[]) => {
      const { checkWorkloadFiles } = await import('./workload-check.ts');
      await checkWorkloadFiles(context, files);
    });

  workload.addCommand(workloadConsoleCommand(context));
  workload.addCommand(workloadLogCommand(context));
  workload.addCommand(workloadVncCommand(context));
  workload.addCommand(workloadImageCommand(context));
  return workload;
}
