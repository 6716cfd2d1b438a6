/** `mesh lab switch`: the process behind the net set-up `switch`. It runs in the lab's namespace, and ends with the lab. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { FrameSwitch } from '../../lab/netsetup/frame-switch.ts';
import { linkOf } from '../../lab/topologies/vm-plan.ts';
import { VmLab } from '../../lab/vms/vm-lab.ts';
import type { Context } from '../context.ts';
import { Interrupt } from '../print/interrupt.ts';
import { wholeNumber } from '../print/number-option.ts';
import { type LabName, labNameOption } from './vm-words.ts';

/** Adds the command to `mesh lab`. */
export function addVmSwitch(lab: Command, context: Context): void {
  lab
    .command('switch')
    .argument('<net>', 'its number', wholeNumber(0, 255))
    .addOption(labNameOption())
    .description('Be the switch of a net, with the loss, the delay and the rate of its links; for net set-ups')
    .addHelpText('after', '\nThe net set-up of that name starts it.\n\nExample:\n  $ mesh lab switch 1')
    .action(async (net: number, { name }: LabName) => {
      const opened = VmLab.open(name);
      const { topology } = opened.record;
      const path = join(opened.lab.directory, `switch-${net}.sock`);
      const frames = new FrameSwitch({ linkOf: (vm) => linkOf(topology, net, vm) });
      using interrupt = new Interrupt();
      await frames.listen(path);
      context.print('The switch listens.\n');
      await new Promise<void>((resolve) => interrupt.signal.addEventListener('abort', () => resolve(), { once: true }));
      frames.close();
    });
}
