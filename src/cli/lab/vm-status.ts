/** What a lab of virtual machines has: its machines with their addresses, and a picture. */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { bridgeOfNet, vmIpv4, vmIpv6, vmName } from '../../lab/topologies/vm-address.ts';
import { hostIsIn } from '../../lab/topologies/vm-plan.ts';
import { labPicture } from '../../lab/vms/lab-picture.ts';
import { VmLab } from '../../lab/vms/vm-lab.ts';
import { visible } from '../../protocol/documents/terminal-text.ts';
import type { Context } from '../context.ts';
import { table } from '../print/table.ts';
import { acceleratorText } from './vm-up.ts';
import { type LabName, labNameOption } from './vm-words.ts';

interface MachineLine {
  readonly name: string;
  readonly role: string;
  readonly pid: number | null;
  readonly nets: readonly number[];
  /** The template that it is a copy of, or why it booted by itself. */
  readonly start: { readonly template: string } | { readonly cold: string };
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** Shows the machines of a lab. The exit code is 1 when one of them does not run. */
export function vmStatus(context: Context, name: string): void {
  const lab = VmLab.open(name);
  const { record, nets } = lab;
  const { prefix } = record.topology;
  const machines = lab.machines.map(
    ({ number, nets: own, template, cold = '' }): MachineLine => ({
      name: vmName(number),
      role: lab.plan(number).role,
      pid: lab.emulatorOf(number)?.pid ?? null,
      nets: own,
      start: template === undefined ? { cold } : { template },
      ipv4: own.map((net) => vmIpv4(net, number)),
      ipv6: own.map((net) => vmIpv6(net, number, prefix)),
    }),
  );
  const document = {
    name,
    topology: record.title,
    accelerator: record.accelerator,
    netSetup: record.netSetup ?? 'bridge',
    nets,
    machines,
  };
  context.answer(document, () =>
    [
      `Topology ${record.title}, nets ${nets.join(', ')} by ${record.netSetup ?? 'taps on bridges'}.\n`,
      acceleratorText(lab),
      ...coldTexts(machines),
      table(
        machines,
        [
          { title: 'MACHINE', text: (machine) => machine.name },
          { title: 'ROLE', text: (machine) => machine.role },
          {
            title: 'STATE',
            text: ({ pid }) => (pid === null ? 'ended' : `runs, ${pid}`),
            tone: ({ pid }) => (pid === null ? 'bad' : 'good'),
          },
          { title: 'START', text: ({ start }) => ('cold' in start ? 'cold' : 'template') },
          { title: 'ADDRESSES', text: ({ ipv4 }) => ipv4.join(' '), flexible: true },
        ],
        context.page,
      ),
    ].join(''),
  );
  context.exitCode = machines.every(({ pid }) => pid !== null) ? 0 : 1;
}

/** Why machines were not copied from a template, a line for each reason. */
function coldTexts(machines: readonly MachineLine[]): string[] {
  const names = new Map<string, string[]>();
  for (const { name, start } of machines)
    if ('cold' in start && start.cold !== '') names.set(start.cold, [...(names.get(start.cold) ?? []), name]);
  return [...names].map(([why, whose]) => `Booted cold: ${whose.join(', ')}, because ${visible(why)}.\n`);
}

/** Adds `mesh lab graph`. */
export function addVmPicture(lab: Command, context: Context): void {
  lab
    .command('graph')
    .option('-o, --output <file>', 'the file to write; the standard output without it')
    .addOption(labNameOption())
    .description('Draw a lab of virtual machines as SVG')
    .addHelpText('after', '\nExample:\n  $ mesh lab graph -o lab.svg')
    .action(({ name, output }: LabName & { readonly output?: string }) => {
      const opened = VmLab.open(name);
      const { topology, title } = opened.record;
      const picture = labPicture({
        title: `${name}: ${title}`,
        nets: opened.nets.map((net) => ({ net, name: bridgeOfNet(net), host: hostIsIn(topology, net) })),
        machines: opened.machines.map(({ number, nets }) => ({
          ...opened.plan(number, nets),
          runs: opened.emulatorOf(number) !== undefined,
        })),
      });
      if (output === undefined) context.print(picture);
      else writeFileSync(output, picture);
    });
}
