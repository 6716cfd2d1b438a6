/** `mesh agent`: the process that runs on every machine and brings its kernel into the state that the networks need. */
import { existsSync, readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { noHost0Directory } from '../../formats/host0/host0-tree.ts';
import { requireRoot } from '../../kernel/root.ts';
import { host0Addresses } from '../../machine/host0-addresses.ts';
import type { Context } from '../context.ts';
import { Daemon } from './daemon.ts';

interface RunOptions {
  readonly host0?: string;
  readonly machine?: string;
  readonly name?: string;
  readonly onHost0?: boolean;
  readonly metrics?: string;
  readonly diskCache?: string;
}

/** `mesh agent run` replaces this process by the agent. */
export function agentCommand(context: Context): Command {
  const agent = new Command('agent');

  agent
    .command('run')
    .description('Run the agent in the foreground, for a service manager')
    .addOption(host0Option())
    .option('--machine <id>', 'the id of this machine, 8 hex digits, instead of the one that follows from its hardware')
    .option('--name <name>', "the node's name, instead of the host name")
    .option(
      '--on-host0',
      "take the networks from host0's daemon on this machine; the default if there is a host0 directory and no --host0",
    )
    .option(
      '--metrics <network>',
      'serve metrics to the members of this network; without it, only on the control socket',
    )
    .option(
      '--disk-cache <size>',
      'the most that images of virtual machines may take, such as 50G; without it, 20G or half of the file system',
    )
    .addHelpText('after', '\nExample:\n  $ mesh agent run --host0 10.11.0.1')
    .action(async ({ host0, machine, name, onHost0, metrics, diskCache }: RunOptions) => {
      requireRoot('run the agent', 'Networks are made in the kernel, which only root may do.');
      const beside = onHost0 ?? (host0 === undefined && isHost0Machine(context));
      const flags = beside ? ['--on-host0'] : host0Flags(host0);
      if (machine !== undefined) flags.push('--machine', machine);
      if (name !== undefined) flags.push('--name', name);
      if (metrics !== undefined) flags.push('--metrics', metrics);
      if (diskCache !== undefined) flags.push('--disk-cache', diskCache);
      await new Daemon('agent', context).become(flags);
    });

  return agent;
}

/**
 * Whether this machine is host0: it has host0's directory.
 * @throws MESH_OBJECT_UNKNOWN when --host0-dir or MESH_HOST0_DIR names a directory that does not exist
 */
export function isHost0Machine({ host0Dir, paths: { host0 } }: Context): boolean {
  if (existsSync(host0)) return true;
  if (host0Dir === undefined) return false;
  throw noHost0Directory(host0);
}

/** The option --host0 of the commands that start the agent; `host0Flags` takes its value. */
export function host0Option(): Option {
  return new Option(
    '--host0 <address>',
    "host0's IPv4 address (no name), or several with commas; without it, `host0=` on the kernel command line counts",
  );
}

/**
 * The agent's flags for the address of host0; none when the kernel command line has it, since the agent reads that too.
 * @throws MESH_HOST0_UNKNOWN unless the option or the kernel command line has addresses of host0
 */
export function host0Flags(host0: string | undefined): string[] {
  const addresses = host0Addresses(host0, readFileSync('/proc/cmdline', 'utf8'));
  return host0 === undefined ? [] : ['--host0', addresses.join()];
}
