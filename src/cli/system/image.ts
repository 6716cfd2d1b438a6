/** `mesh system image`: builds and lists the images that machines boot. */
import { Command, Option } from 'commander';
import { Generations, type ListedImage, type NodeImage } from '../../image/node/generations.ts';
import { KNOWN_NODES } from '../../image/node/known-node.ts';
import { buildNodeImage, DEFAULT_KERNEL } from '../../image/node/node-image.ts';
import { carriedNode, installPrograms } from '../../image/node/node-programs.ts';
import { BOOT_SCRIPTS } from '../../image/node/program-files.ts';
import { requireRoot } from '../../kernel/root.ts';
import type { Context } from '../context.ts';
import { Stages } from '../print/stages.ts';
import { type Column, table } from '../print/table.ts';

interface NodeOptions {
  readonly kernel: string;
  readonly package: readonly string[];
}

export function imageCommand(context: Context): Command {
  const image = new Command('image').description('Build and list what machines boot');

  image
    .command('node')
    .description('Build the kernel and the root file system (in RAM) that machines boot from now on')
    .addOption(new Option('--flavor <flavor>', 'what it is built from').choices(['debian']).default('debian'))
    .option('--kernel <package>', 'the Debian package of the kernel', DEFAULT_KERNEL)
    .option('--package <name...>', 'also unpack these Debian packages into the root file system', [])
    .addHelpText(
      'after',
      '\nPackages come from the apt sources of this machine. Its own installed packages do not matter, and are not changed.\n' +
        'Virtual machines need fewer drivers: linux-image-cloud-amd64 is a third of the size of the default kernel.\n' +
        '\nExamples:\n  $ mesh system image node\n' +
        '  $ mesh system image node --kernel linux-image-cloud-amd64\n' +
        '  $ mesh system image node --package tcpdump iproute2',
    )
    .action((options: NodeOptions) => buildNode(context, options));

  image
    .command('list')
    .alias('ls')
    .description('List the images of this host0; machines boot the current one')
    .addHelpText('after', '\nExample:\n  $ mesh system image list')
    .action(() => list(context));

  return image;
}

async function buildNode(context: Context, options: NodeOptions): Promise<void> {
  requireRoot('build what machines boot', 'An image has files of several owners, which only root may make.');
  using stages = new Stages(context.stderr);
  const image = await buildNodeImage({
    stateDirectory: context.paths.state,
    kernelPackage: options.kernel,
    packages: options.package,
    programs: { install: installPrograms, scripts: BOOT_SCRIPTS, ...carriedNode() },
    onStage: stages.show,
  });
  stages.end();
  context.answer(
    image,
    () =>
      `Machines boot image ${image.generation} from now on: Linux ${image.kernelRelease}, ` +
      `kernel ${megabytes(image.vmlinuz.bytes)}, root ${megabytes(image.initrd.bytes)}.\n${unknownNodeText(image)}`,
  );
}

/** Says so if the image carries a Node.js that Meshwork was not tested with. */
function unknownNodeText({ nodeVersion, nodeSha256 }: NodeImage): string {
  if (KNOWN_NODES.has(nodeVersion)) return '';
  return (
    `It carries Node.js ${nodeVersion}, which this Meshwork does not know. ` +
    `See that the file is what its publisher made, SHA-256 ${nodeSha256}.\n`
  );
}

const COLUMNS: readonly Column<ListedImage>[] = [
  { title: 'IMAGE', text: ({ generation }) => generation },
  {
    title: 'STATE',
    text: ({ current }) => (current ? 'current' : 'kept'),
    tone: ({ current }) => (current ? 'good' : undefined),
  },
  { title: 'LINUX', text: ({ kernelRelease }) => kernelRelease },
  { title: 'MESHWORK', text: ({ meshworkVersion }) => meshworkVersion },
  { title: 'KERNEL', text: ({ vmlinuz }) => megabytes(vmlinuz.bytes), align: 'right' },
  { title: 'ROOT', text: ({ initrd }) => megabytes(initrd.bytes), align: 'right' },
  { title: 'BUILT', text: ({ builtAt }) => `${builtAt.slice(0, 16).replace('T', ' ')} UTC` },
];

async function list(context: Context): Promise<void> {
  const images = await new Generations(context.paths.state).list();
  context.answer(images, () =>
    images.length === 0
      ? 'There is no image yet. Build one with `mesh system image node`.\n'
      : table(images, COLUMNS, context.page),
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
