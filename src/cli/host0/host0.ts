/** `mesh host0`: the machines that can be host0, where there are several. */
import { Command } from 'commander';
import { removeRestoredMark } from '../../backup/restored-mark.ts';
import { requireRoot } from '../../kernel/root.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { LeadershipView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import { properties } from '../print/properties.ts';
import { type JoinOptions, joinHost0s } from './host0-join.ts';

/** `mesh host0` with its commands. */
export function host0Command(context: Context): Command {
  const host0 = new Command('host0');

  host0
    .command('join')
    .description('Make this machine one of several that can be host0; on the host0 that there is, begin with that')
    .argument('[address...]', 'the underlay addresses of all machines that can be host0; else those of host0.conf')
    .option('--store <store>', 'the etcd of all host0s, etcd://HOST:PORT,…; else that of host0.conf')
    .option('--key <file>', 'a copy of /etc/meshwork/host0.key of the host0 that leads')
    .addHelpText(
      'after',
      '\nThe first host0 makes the key file /etc/meshwork/host0.key. Each further one has a copy of that file, of the tree\n' +
        '/host0, and of what host0 shows to etcd (/etc/meshwork/etcd.conf).\n' +
        'The command changes host0.conf and the key file. The processes take that up at their next start.\n' +
        '\nExamples:\n  $ mesh host0 join 10.11.0.1 10.11.0.2\n' +
        '  $ mesh host0 join 10.11.0.1 10.11.0.2 --store etcd://10.0.0.1:2379 --key /root/host0.key',
    )
    .action(async (addresses: readonly string[], options: JoinOptions) => {
      requireRoot('make this machine a host0', 'Keys are read and written by root only.');
      const joined = await joinHost0s(context.paths, addresses, options);
      context.answer(joined, () =>
        [
          joined.isFirst
            ? `This host0 is the first of several. Copy ${context.paths.host0Key} and ${context.paths.host0} to the others.\n`
            : 'This machine can be host0: it waits, and leads when the others have ended.\n',
          'Start its processes anew: `mesh system stop`, then `mesh system start`.\n',
        ].join(''),
      );
    });

  host0
    .command('show')
    .description('Show which host0 leads, and whether this one could')
    .addHelpText('after', '\nThe command is for a machine that can be host0.\n\nExample:\n  $ mesh host0 show')
    .action(async () => {
      const view = await host0Client(context.paths).ask('GET /v1/leadership');
      context.answer(view, () => leadershipText(view, context));
    });

  host0
    .command('take-over')
    .description('Let a restored host0 begin, also while the host0 that it was restored from is on the same wire')
    .addHelpText(
      'after',
      '\nA restored host0 waits while that one lives, since both have the same keys, networks and addresses. Switch that one off\n' +
        'first: two of them tear the meshes apart. The command is for a wire on which something else is taken for it.\n' +
        '\nExample:\n  $ mesh host0 take-over',
    )
    .action(async () => {
      requireRoot('let host0 begin', 'The mark of a restored host0 is in its state.');
      const wasRestored = await removeRestoredMark(context.paths.state);
      context.answer({ wasRestored }, () =>
        wasRestored
          ? 'This host0 begins within two seconds, if it runs.\n'
          : 'This host0 does not wait: it was not restored, or has begun since.\n',
      );
    });

  return host0;
}

function leadershipText({ state, leader, why, key, tree, revision }: LeadershipView, { paint }: Context): string {
  return properties(
    [
      ['this host0', state === 'leads' ? 'leads' : why === undefined ? 'waits' : `must not lead: ${why}`],
      ['leader', leader ?? (state === 'leads' ? undefined : 'none at present')],
      ['key', key],
      ['tree', tree],
      ['store', revision === undefined ? undefined : `revision ${revision}`],
    ],
    paint,
  );
}
