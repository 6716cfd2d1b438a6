/** `mesh workload image`: the disk images in the caches of nodes. */
import { Command } from 'commander';
import { type ErrorDocument, MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { DiskImage, DiskImageCache, ImageProgress } from '../../protocol/documents/workload/disk-image.ts';
import type { Context } from '../context.ts';
import { bytesText } from '../print/bytes.ts';
import { durationText } from '../print/duration.ts';
import { Interrupt } from '../print/interrupt.ts';
import { printable } from '../print/printable.ts';
import { Stages } from '../print/stages.ts';
import { type Column, table } from '../print/table.ts';

interface NodeOption {
  readonly node: string;
}

/** The commands of images. */
export function workloadImageCommand(context: Context): Command {
  const image = new Command('image').description('List, fetch and delete the disk images that nodes keep');

  image
    .command('list')
    .alias('ls')
    .description('List the disk images of all nodes, or of one, with how full each cache is')
    .option('-n, --node <node>', 'the name or the machine id of a node')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh workload image list -n node1')
    .action(({ node }: Partial<NodeOption>) => listImages(context, node));

  image
    .command('add')
    .description('Fetch a disk image into the caches of all nodes, or of one, before a virtual machine needs it')
    .argument('<source>', 'a URL, a file of host0 (isos/NAME), or an absolute path on the node')
    .option(
      '-n, --node <node>',
      'the name or the machine id of a node; all that answer by default, one after the other',
    )
    .option('--sha256 <hash>', 'the SHA-256 of the image; without it, whatever comes is taken')
    .addHelpText(
      'after',
      '\nThe command is for host0. Ctrl-C ends the transfer, unless a virtual machine waits for the same image.\n\n' +
        'Examples:\n  $ mesh workload image add isos/debian-12.qcow2\n' +
        '  $ mesh workload image add isos/debian-12.qcow2 -n node1',
    )
    .action(async (source: string, { node, sha256 }: Partial<NodeOption> & { readonly sha256?: string }) => {
      const order = { source, ...(sha256 !== undefined && { sha256 }) };
      if (node === undefined) return await addEverywhere(context, order);
      const image = await fetchTo(context, node, order);
      if (image !== undefined) context.answer(image, () => fetchedText(node, image));
    });

  image
    .command('delete')
    .alias('rm')
    .description('Delete a disk image from the cache of a node')
    .argument('<image>', 'its source, or at least six digits of its hash')
    .requiredOption('-n, --node <node>', 'the name or the machine id of the node')
    .addHelpText(
      'after',
      '\nThe command is for host0. An image with volumes over it is not deleted.\n\n' +
        'Example:\n  $ mesh workload image delete isos/debian-12.qcow2 -n node1',
    )
    .action(async (word: string, { node }: NodeOption) => {
      const gone = await host0Client(context.paths).ask('DELETE /v1/disk-images', { query: { node, image: word } });
      context.answer(gone, () =>
        printable(`${nameOf(gone)} is deleted, ${bytesText(gone.sizeBytes, 1000)}.`).concat('\n'),
      );
    });

  return image;
}

interface Row {
  readonly node: string;
  readonly image: DiskImage;
}

async function listImages(context: Context, node: string | undefined): Promise<void> {
  const query = node === undefined ? {} : { node };
  const list = await host0Client(context.paths).ask('GET /v1/disk-images', { query });
  const rows = list.flatMap(({ node: name, cache }) =>
    (cache?.images ?? []).map((image): Row => ({ node: name, image })),
  );
  context.answer(list, () => {
    const images = rows.length === 0 ? 'No node has a disk image.\n' : table(rows, COLUMNS, context.page);
    const caches = list.flatMap(({ node: name, cache }) => (cache === undefined ? [] : [cacheText(name, cache)]));
    const silent = list.flatMap(({ node: name, error }) => (error === undefined ? [] : [`${name}: ${error.message}`]));
    return [images, ...[...caches, ...silent].map((line) => `${printable(line)}\n`)].join('');
  });
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'NODE', text: ({ node }) => node, flexible: true },
  { title: 'IMAGE', text: ({ image }) => image.sha256.slice(0, 12) || '-' },
  { title: 'SIZE', text: ({ image }) => bytesText(image.sizeBytes, 1000), align: 'right' },
  { title: 'FORMAT', text: ({ image }) => image.format },
  { title: 'VOLUMES', text: ({ image }) => String(image.volumes.length), align: 'right' },
  {
    title: 'USED',
    text: ({ image: { progress, usedSecAgo } }) =>
      progress === undefined ? `${durationText(usedSecAgo)} ago` : progressText(progress),
  },
  { title: 'SOURCE', text: ({ image }) => image.sources[0] ?? '-', flexible: true },
];

function cacheText(node: string, { usedBytes, limitBytes, isInMemory }: DiskImageCache): string {
  const where = isInMemory ? ', in its memory: it has no disk' : '';
  return `The cache of ${node} has ${bytesText(usedBytes, 1000)} of ${bytesText(limitBytes, 1000)}${where}.`;
}

interface ImageOrder {
  readonly source: string;
  readonly sha256?: string;
}

/** Fetches an image to each node that answers. A node that cannot have it does not keep it from the others. */
async function addEverywhere(context: Context, order: ImageOrder): Promise<void> {
  const nodes = (await host0Client(context.paths).ask('GET /v1/disk-images')).flatMap(({ node, cache }) =>
    cache === undefined ? [] : [node],
  );
  const results: ({ readonly node: string } & ({ readonly image: DiskImage } | { readonly error: ErrorDocument }))[] =
    [];
  for (const node of nodes) {
    try {
      const image = await fetchTo(context, node, order);
      // Ctrl-C ends all of them.
      if (image === undefined) break;
      results.push({ node, image });
    } catch (thrown) {
      context.exitCode = 1;
      results.push({ node, error: MeshError.from(thrown).toJSON() });
    }
  }
  context.answer(results, () =>
    results
      .map((one) =>
        'image' in one ? fetchedText(one.node, one.image) : printable(`${one.node}: ${one.error.message}`).concat('\n'),
      )
      .join(''),
  );
}

function fetchedText(node: string, image: DiskImage): string {
  const size = bytesText(image.sizeBytes, 1000);
  return printable(`${nameOf(image)} is on ${node}: ${size}, SHA-256 ${image.sha256}.`).concat('\n');
}

/** @returns undefined after Ctrl-C */
async function fetchTo(context: Context, node: string, order: ImageOrder): Promise<DiskImage | undefined> {
  using stages = new Stages(context.stderr);
  using interrupt = new Interrupt();
  stages.show(`${printable(node)} fetches ${printable(order.source)}`);
  try {
    const request = { body: { node, ...order }, signal: interrupt.signal };
    for await (const { document } of host0Client(context.paths).lines('POST /v1/disk-images', request)) {
      if (document?.kind === 'failed') throw MeshError.fromJSON(document.error);
      if (document?.kind === 'progress') stages.detail(progressText(document.progress));
      if (document?.kind === 'ready') return document.image;
    }
  } catch (thrown) {
    if (!interrupt.signal.aborted) throw thrown;
    context.exitCode = interrupt.exitCode;
    return undefined;
  }
  throw new MeshError('MESH_NODE_OFFLINE', `${node} went away before the image was there`, {
    object: node,
    remedy: 'Run the command again: what has arrived is kept for a day.',
    retryable: true,
  });
}

/** `45 % of 2.1 GB, 31.0 MB/s, 38 s left` */
function progressText({ doneBytes, totalBytes, bytesPerSec, remainingSec }: ImageProgress): string {
  const done =
    totalBytes === undefined || totalBytes === 0
      ? bytesText(doneBytes, 1000)
      : `${Math.floor((doneBytes * 100) / totalBytes)} % of ${bytesText(totalBytes, 1000)}`;
  const left = remainingSec === undefined ? '' : `, ${durationText(remainingSec)} left`;
  return `${done}, ${bytesText(bytesPerSec, 1000)}/s${left}`;
}

function nameOf({ sources: [source], sha256 }: DiskImage): string {
  return source ?? sha256.slice(0, 12);
}
