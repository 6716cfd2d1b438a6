/** The commands `mesh system backup` and `mesh system restore`. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import type { RestoreOptions } from './store-backup.ts';
import { storeOption } from './store-choice.ts';

/** Adds both commands. What opens a store is loaded when it is needed. */
export function addStoreBackup(system: Command, context: Context): void {
  system
    .command('backup')
    .description("Write what host0's store holds into a file")
    .argument('<file>', 'the file to write; only root can read it')
    .addHelpText(
      'after',
      "\nhost0's daemon must be stopped, unless its store is an etcd. The installation secret is not in the file: keep\n" +
        'a copy of /var/lib/meshwork/keys, too.\n\nExample:\n  $ mesh system backup /root/store.json',
    )
    .action(async (file: string) => {
      const { backup } = await import('./store-backup.ts');
      await backup(context, file);
    });

  system
    .command('restore')
    .description("Fill host0's store from a file that `mesh system backup` has written")
    .argument('<file>', 'the file to read')
    .addOption(storeOption())
    .option('--force', 'also over a store that has something in it, which is lost')
    .addHelpText(
      'after',
      "\nhost0's daemon must be stopped. This is also the way from a file of host0's own to an etcd, and back.\n" +
        'The store gets a new epoch: what nodes have and the file has not is kept by the nodes (`mesh node orphans list`).\n' +
        '\nExamples:\n  $ mesh system restore /root/store.json\n' +
        '  $ mesh system restore /root/store.json --store etcd://10.0.0.1:2379,10.0.0.2:2379',
    )
    .action(async (file: string, options: RestoreOptions) => {
      const { restore } = await import('./store-backup.ts');
      await restore(context, file, options);
    });
}
