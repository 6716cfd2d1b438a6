/** What labs of virtual machines are made of: topologies, overlays and hooks, to look at and to copy from. */
import { statSync } from 'node:fs';
import type { Command } from 'commander';
import { guestImage } from '../../lab/guest/guest-image.ts';
import { hookFunction } from '../../lab/hooks/shell-hook.ts';
import { type BuiltOverlay, buildOverlay } from '../../lab/overlays/overlay-cache.ts';
import {
  findOverlay,
  listOverlays,
  type OverlaySource,
  overlayAbout,
  overlayFiles,
} from '../../lab/overlays/overlay-source.ts';
import { listTemplates, removeTemplate, sweepTemplates } from '../../lab/templates/template-shelf.ts';
import { findTopology, shippedTopologies } from '../../lab/topologies/shipped-topologies.ts';
import { topologySchema } from '../../lab/topologies/topology-schema.ts';
import { terminalJson } from '../../protocol/documents/terminal-text.ts';
import type { Context } from '../context.ts';
import { Stages } from '../print/stages.ts';
import { table } from '../print/table.ts';

const MIB = 1024 * 1024;
/** The unit of `stat`. */
const BLOCK_BYTES = 512;
const SHOWN_DIGITS = 12;

/** Adds the commands to `mesh lab`. */
export function addVmParts(lab: Command, context: Context): void {
  addTopologies(lab.command('topology').description('Topologies of labs of virtual machines'), context);
  addOverlays(lab.command('overlay').description('Overlays: what machines of a lab have beside their base'), context);
  addTemplates(lab.command('template').description('Templates: booted machines that others are copies of'), context);
  const hook = lab.command('hook').description('Hooks: commands of your own, which change how a lab starts');
  hook
    .command('print')
    .argument('<function>', 'such as cmd_start')
    .description('Print a function of the hook that comes with labs, to copy from')
    .addHelpText('after', '\nExample:\n  $ mesh lab hook print cmd_start')
    .action((name: string) => {
      const text = hookFunction(name);
      context.answer({ function: name, text }, () => text);
    });
}

function addTopologies(topology: Command, context: Context): void {
  topology
    .command('list')
    .description('List the topologies that come with labs')
    .addHelpText('after', '\nExample:\n  $ mesh lab topology list')
    .action(() => {
      const found = shippedTopologies().map((name) => ({ name, about: findTopology(name).topology.description ?? '' }));
      context.answer(found, () =>
        table(
          found,
          [
            { title: 'TOPOLOGY', text: ({ name }) => name },
            { title: 'ABOUT', text: ({ about }) => about, flexible: true },
          ],
          context.page,
        ),
      );
    });
  topology
    .command('show')
    .argument('<topology>', 'its name or its file')
    .description('Print a topology, and judge it')
    .addHelpText('after', '\nExample:\n  $ mesh lab topology show default')
    .action((word: string) => {
      const { text, topology: read } = findTopology(word);
      context.answer(read, () => text);
    });
  topology
    .command('schema')
    .description('Print the JSON Schema of topologies, for editors')
    .addHelpText('after', '\nExample:\n  $ mesh lab topology schema >topology.schema.json')
    .action(() => context.print(`${terminalJson(topologySchema(), 2)}\n`));
}

function addTemplates(template: Command, context: Context): void {
  template
    .command('list')
    .description('List the templates in the memory of this machine')
    .addHelpText('after', '\nExample:\n  $ mesh lab template list')
    .action(() => {
      const found = listTemplates().map(({ key, memoryBytes, overlays, memory }) => ({
        key,
        memoryMib: memoryBytes / MIB,
        usedMib: Math.ceil((statSync(memory).blocks * BLOCK_BYTES) / MIB),
        overlays,
      }));
      context.answer(
        found,
        () =>
          table(
            found,
            [
              { title: 'TEMPLATE', text: ({ key }) => key.slice(0, SHOWN_DIGITS) },
              { title: 'MACHINE', text: ({ memoryMib }) => `${memoryMib} MiB`, align: 'right' },
              { title: 'TAKES', text: ({ usedMib }) => `${usedMib} MiB`, align: 'right' },
              { title: 'OVERLAYS', text: ({ overlays }) => overlays.join(' '), flexible: true },
            ],
            context.page,
          ) || 'There are no templates. `mesh lab up TOPOLOGY` makes one where it pays.\n',
      );
    });
  template
    .command('remove')
    .description('Remove all templates; machines that run are not concerned')
    .addHelpText('after', '\nExample:\n  $ mesh lab template remove')
    .action(async () => {
      const found = listTemplates();
      for (const each of found) await removeTemplate(each);
      await sweepTemplates();
      context.answer({ removed: found.map(({ key }) => key) }, () => `Removed ${found.length}.\n`);
    });
}

function addOverlays(overlay: Command, context: Context): void {
  overlay
    .command('list')
    .description('List the overlays that have a name here')
    .addHelpText('after', '\nExample:\n  $ mesh lab overlay list')
    .action(() => {
      const found = listOverlays().map((source) => ({ ...source, about: overlayAbout(source) }));
      context.answer(found, () =>
        table(
          found,
          [
            { title: 'OVERLAY', text: ({ name }) => name },
            { title: 'KIND', text: ({ kind }) => kind },
            {
              title: 'ABOUT',
              text: ({ about, shipped, path }) => (shipped ? about : `${about} (${path})`),
              flexible: true,
            },
          ],
          context.page,
        ),
      );
    });
  overlay
    .command('build')
    .argument('<overlay...>', 'names or paths')
    .option('--again', 'also where nothing has changed')
    .description('Make overlays ready, as `mesh lab up` does')
    .addHelpText('after', '\nExample:\n  $ mesh lab overlay build ./mine')
    .action(async (words: readonly string[], { again = false }: { readonly again?: boolean }) => {
      using stages = new Stages(context.stderr, 1_000);
      const guest = await guestImage(stages.show);
      const built: BuiltOverlay[] = [];
      for (const word of words) built.push(await buildOverlay(findOverlay(word, process.cwd()), guest, again));
      stages.end();
      context.answer(built, () =>
        built
          .map(
            ({ name, bytes, fresh }) =>
              `${name}: ${(bytes / 1e6).toFixed(2)} MB, ${fresh ? 'built' : 'nothing has changed'}\n`,
          )
          .join(''),
      );
    });
  overlay
    .command('show')
    .argument('<overlay>', 'its name or path')
    .description('List the files that an overlay gives a machine')
    .addHelpText('after', '\nExample:\n  $ mesh lab overlay show routers')
    .action(async (word: string) => {
      const source: OverlaySource = findOverlay(word, process.cwd());
      const files = await overlayFiles(source);
      context.answer({ ...source, files }, () => files.map((file) => `${file}\n`).join(''));
    });
}
