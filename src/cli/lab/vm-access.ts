/** Ways into the machines of a lab: terminals, consoles, commands, files, and what passes on a net. */

import type { StdioOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import type { Command } from 'commander';
import { spawnInside } from '../../lab/hosts/host-process.ts';
import { exitCode } from '../../lab/hosts/host-shell.ts';
import { bridgeOfNet, vmName, vmNumberOf } from '../../lab/topologies/vm-address.ts';
import { consoleCleaner } from '../../lab/vms/console-text.ts';
import { consoleSocket } from '../../lab/vms/vm-files.ts';
import { VmLab } from '../../lab/vms/vm-lab.ts';
import { copyEnd, copyFiles, spawnOnVm, terminalToVm } from '../../lab/vms/vm-terminal.ts';
import { MeshError } from '../../model/error.ts';
import { findProgram } from '../../services/process/program-path.ts';
import type { Context } from '../context.ts';
import { Interrupt } from '../print/interrupt.ts';
import { wholeNumber } from '../print/number-option.ts';
import { type LabName, labNameOption, openVm, vmWord } from './vm-words.ts';

/** Leaves a console, as with virsh and telnet. */
const ESCAPE = 0x1d;

/** Adds the commands to `mesh lab`. */
export function addVmAccess(lab: Command, context: Context): void {
  lab
    .command('vm')
    .argument('<machine>', 'number or name', vmWord)
    .addOption(labNameOption())
    .description('Open a terminal on a machine over the internal net')
    .addHelpText('after', '\nExample:\n  $ mesh lab vm 1')
    .action(async (number: number, { name }: LabName) => {
      const { lab: place, directory } = placed(name, number);
      using _ = new Interrupt();
      // A terminal gets what the machine says as any terminal does; a file or a program gets plain text.
      const isTerminal = process.stdout.isTTY === true;
      const stdio: StdioOptions = ['inherit', isTerminal ? 'inherit' : 'pipe', 'inherit'];
      const child = spawnInside(place.netns, terminalToVm({ directory, netns: place.netns, number }), { stdio });
      child.stdout?.pipe(consoleCleaner()).on('data', (chunk: Buffer) => context.print(chunk));
      context.exitCode = await exitCode(child);
    });
  lab
    .command('ssh')
    .argument('<machine>', 'number or name', vmWord)
    .argument('[command...]', 'a command in place of a shell; options behind it stand behind --')
    .addOption(labNameOption())
    .description('Log in to a machine, or run a command there')
    .addHelpText('after', '\nExamples:\n  $ mesh lab ssh 1\n  $ mesh lab ssh vm-201 -- ip -br address')
    .action(async (number: number, command: readonly string[], { name }: LabName) => {
      // As with ssh: the words are one line for the shell of the machine.
      context.exitCode = await vmExec(name, number, command.length === 0 ? [] : ['sh', '-c', command.join(' ')]);
    });
  lab
    .command('console')
    .argument('<machine>', 'number or name', vmWord)
    .addOption(labNameOption())
    .description('Use the serial console of a machine; Ctrl-] leaves it')
    .addHelpText('after', '\nExample:\n  $ mesh lab console vm-001')
    .action(async (number: number, { name }: LabName) => {
      const { lab: place } = placed(name, number);
      await attach(context, place, number);
    });
  lab
    .command('cp')
    .argument('<from>', 'a path; of a machine as vm-001:/path')
    .argument('<to>', 'the same')
    .addOption(labNameOption())
    .description('Copy files to or from machines of a lab')
    .addHelpText('after', '\nExamples:\n  $ mesh lab cp vm-001:/etc/hosts .\n  $ mesh lab cp ./test vm-002:/tmp')
    .action(async (from: string, to: string, { name }: LabName) => {
      await copyFiles(copyEnd(from), copyEnd(to), (vm) => {
        const number = vmNumberOf({ hostName: vm }) ?? 0;
        const { lab: place, directory } = placed(name, number);
        return { directory, netns: place.netns, number };
      });
    });
  lab
    .command('capture')
    .argument('<net>', 'its number', wholeNumber(0, 255))
    .option('-w, --write <file>', 'a pcap file; without it, a text for people, or pcap to a pipe')
    .option('--count <packets>', 'end after so many packets', wholeNumber(1))
    .argument('[filter...]', 'what to capture, as tcpdump takes it')
    .addOption(labNameOption())
    .description('Capture the packets of a net')
    .addHelpText(
      'after',
      '\nExamples:\n  $ mesh lab capture 1 icmp\n  $ mesh lab capture 0 -w net0.pcap\n  $ mesh lab capture 2 | wireshark -k -i -',
    )
    .action((net: number, filter: readonly string[], options: CaptureOptions) =>
      capture(context, net, filter, options),
    );
}

interface CaptureOptions extends LabName {
  readonly write?: string;
  readonly count?: number;
}

function placed(name: string, number: number): { lab: VmLab; directory: string } {
  const lab = openVm(name, number);
  return { lab, directory: lab.lab.directory };
}

/** Runs a command on a machine with this process's own terminal. @returns its exit code */
export async function vmExec(name: string, number: number, command: readonly string[]): Promise<number> {
  const { lab, directory } = placed(name, number);
  // The terminal sends Ctrl-C to both processes; only the command should act on it.
  using _ = new Interrupt();
  const terminal = process.stdin.isTTY === true;
  return await exitCode(spawnOnVm({ directory, netns: lab.netns, number }, command, { stdio: 'inherit', terminal }));
}

/** Joins this terminal to a serial console, until Ctrl-] or the end of the input. */
async function attach(context: Context, lab: VmLab, number: number): Promise<void> {
  const path = consoleSocket(lab.directoryOf(number));
  if (!existsSync(path)) {
    throw new MeshError('MESH_CONSOLE_NONE', `${vmName(number)} has no console`, {
      object: path,
      remedy: `See whether it runs: \`mesh lab status\`. Start it: \`mesh lab boot ${number}\`.`,
    });
  }
  const socket = createConnection(path);
  const { stdin } = process;
  if (stdin.isTTY) {
    context.stderr.write('Ctrl-] leaves the console.\n');
    stdin.setRawMode(true);
  }
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('error', ({ message }) =>
        reject(
          new MeshError('MESH_CONSOLE_CLOSED', `the console of ${vmName(number)} cannot be used: ${message}`, {
            object: path,
          }),
        ),
      );
      socket.on('close', () => resolve());
      const said = process.stdout.isTTY === true ? socket : socket.pipe(consoleCleaner());
      said.on('data', (chunk: Buffer) => context.print(chunk));
      stdin.on('data', (chunk: Buffer) => {
        const end = chunk.indexOf(ESCAPE);
        socket.write(end < 0 ? chunk : chunk.subarray(0, end));
        if (end >= 0) socket.destroy();
      });
      stdin.on('end', () => socket.end());
    });
  } finally {
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
    socket.destroy();
  }
}

async function capture(
  context: Context,
  net: number,
  filter: readonly string[],
  { name, write, count }: CaptureOptions,
): Promise<void> {
  const lab = VmLab.open(name);
  if (findProgram('tcpdump') === undefined) {
    throw new MeshError('MESH_LAB_FAILED', 'the program `tcpdump` is missing', {
      remedy: 'Install the package tcpdump.',
    });
  }
  const binary = write !== undefined || process.stdout.isTTY !== true;
  const words = [
    'tcpdump',
    ...['-i', bridgeOfNet(net), '-n', '--immediate-mode'],
    ...(binary ? ['-U', '-w', write ?? '-'] : ['-l']),
    ...(count === undefined ? [] : ['-c', String(count)]),
    ...(filter.length === 0 ? [] : ['--', ...filter]),
  ];
  using _ = new Interrupt();
  context.exitCode = await exitCode(spawnInside(lab.netns, words, { stdio: 'inherit', cwd: process.cwd() }));
}
