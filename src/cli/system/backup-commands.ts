/** The commands `mesh system backup`, `mesh system restore` and `mesh system diff`. What opens a store is loaded when it is needed. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from '../context.ts';
import type { BackupOptions } from './backup.ts';
import type { RestoreOptions } from './restore.ts';
import { storeOption } from './store-choice.ts';

const FILTER = '--filter <program>';

/** Adds the commands. */
export function addBackup(system: Command, context: Context): void {
  system
    .command('backup')
    .description('Write all that host0 is into one file: its tree, its keys, its settings and what its store holds')
    .argument('<file>', 'the file to write, which only root can read; - for standard output')
    .option(FILTER, "the file is what this program makes of it, such as 'age -r KEY': a backup has all keys")
    .option('--with-mirror', 'with the packages of the mirror, which `mesh system download` fetches again otherwise')
    .option('--with-isos', 'with /host0/isos')
    .option('--store-only', 'only what the store holds, as a document of JSON without keys')
    .option('--force', 'replace a file of this name')
    .addHelpText(
      'after',
      '\nhost0 goes on meanwhile. The file is there when it is whole, and not before.\n' +
        '\nExamples:\n  $ mesh system backup /root/host0.backup\n' +
        "  $ mesh system backup /root/host0.backup.age --filter 'age -R /root/recipients'\n" +
        '  $ mesh system backup - | ssh backups "cat > host0.backup"',
    )
    .action(async (file: string, options: BackupOptions) => {
      const { backup } = await import('./backup.ts');
      await backup(context, file, options);
    });

  system
    .command('restore')
    .description('Make this machine what `mesh system backup` has saved, all at once')
    .argument('[file]', 'the file to read; - for standard input')
    .option(FILTER, "decrypts the file, such as 'age -d -i KEY'")
    .option(
      '--nic <old=new>',
      'which network card of this machine stands for one of the backup; once for each',
      takeNic,
      new Map<string, string>(),
    )
    .addOption(storeOption())
    .option('--force', 'also on a machine that is a host0 already: what it has is lost')
    .option('--plan', 'only say what would change')
    .option(
      '--finish',
      'read no file, and finish a restore that was decided and cut short; services do so when they start',
    )
    .addHelpText(
      'after',
      "\nhost0's daemon must be stopped. Whatever fails, and whenever the power goes, this machine is as before, or all new.\n" +
        'The store gets a new epoch: what nodes have and the backup has not is kept by the nodes (`mesh node orphans list`).\n' +
        'A restored host0 waits while the one that it was copied from is on the same wire (`mesh host0 take-over`).\n' +
        'Files of `mesh system backup --store-only`, and of earlier versions, fill the store alone.\n' +
        '\nExamples:\n  $ mesh system restore /root/host0.backup --plan\n' +
        '  $ mesh system restore /root/host0.backup --nic eth1=enp3s0\n' +
        "  $ mesh system restore /root/host0.backup.age --filter 'age -d -i /root/key'\n" +
        '  $ mesh system restore /root/store.json --store etcd://10.0.0.1:2379,10.0.0.2:2379',
    )
    .action(async (file: string | undefined, options: RestoreOptions) => {
      const { restore } = await import('./restore.ts');
      await restore(context, file, options);
    });

  system
    .command('diff')
    .description('Show what differs between a backup and this host0')
    .argument('<backup>', 'the file to read; - for standard input')
    .option(FILTER, "decrypts the file, such as 'age -d -i KEY'")
    .addHelpText(
      'after',
      '\nKeys are shown by fingerprints that tell nothing of them. Exit code 1 when something differs.\n' +
        '\nExample:\n  $ mesh system diff /root/host0.backup',
    )
    .action(async (file: string, options: { readonly filter?: string }) => {
      const { diff } = await import('./restore.ts');
      await diff(context, file, options);
    });
}

function takeNic(word: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const [, from, to] = /^([^=]+)=([^=]+)$/.exec(word) ?? [];
  if (from === undefined || to === undefined) throw new InvalidArgumentError('Write it as in eth1=enp3s0.');
  return new Map(before).set(from, to);
}
