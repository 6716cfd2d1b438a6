/** `mesh workload run`: one virtual machine by one command, without a file. */
import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { MeshError } from '../../model/error.ts';
import { PublicKeyShape } from '../../model/workload/cloud.ts';
import { VolumeSourceShape } from '../../model/workload/volume.ts';
import { FIRMWARES, RESTARTS, type Workload, WorkloadNameShape } from '../../model/workload/workload.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../print/number-option.ts';
import { withProgress } from '../print/progress.ts';
import { mustBeImage, mustNotBeAnother, publishImage } from './published-image.ts';
import { dryRun, ON_NODE, PLAN, runsAsWanted } from './workload-changes.ts';
import { bytesOption, cardAddresses } from './workload-options.ts';
import { answerAndWait } from './workload-wait.ts';

interface RunOptions {
  readonly image: string;
  readonly network: readonly string[];
  readonly address: readonly string[];
  readonly memory: number;
  readonly size?: number;
  readonly threads: number;
  readonly name?: string;
  readonly node?: string;
  readonly restart: Workload['restart'];
  readonly firmware: Workload['firmware'];
  readonly key: readonly string[];
  readonly vnc?: boolean;
  readonly plan?: boolean;
  readonly wait?: boolean;
}

/** The network of a guest for which none is named. host0 makes it at its first start. */
const DEFAULT_NETWORK = 'main';
const GIBIBYTE = 1024 ** 3;

/** Adds the command to `mesh workload`. */
export function addWorkloadRun(workload: Command, context: Context): void {
  workload
    .command('run')
    .description('Start a new virtual machine from a disk image')
    .requiredOption('--image <image>', 'a file, an image in the folder isos of host0, or a URL; a CD ends in .iso')
    .option('--network <network>', 'a network to join; again for another card', collect, [])
    .option(
      '--address <address>',
      'an address of the first card with its length, as 10.0.0.5/24; may be repeated',
      collect,
      [],
    )
    .addOption(new Option('--memory <size>', 'memory, as 512M or 4G').argParser(bytesOption).default(GIBIBYTE, '1G'))
    .addOption(
      new Option('--size <size>', 'the size of the disk; without it, that of the image').argParser(bytesOption),
    )
    .addOption(new Option('--threads <n>', 'CPU threads').argParser(wholeNumber(1)).default(1))
    .option('--name <name>', 'one word; without it, made of the name of the image')
    .option(...ON_NODE)
    .addOption(
      new Option('--restart <policy>', 'when it is started again after an end').choices(RESTARTS).default('on-failure'),
    )
    .addOption(new Option('--firmware <firmware>', 'what starts the guest').choices(FIRMWARES).default('bios'))
    .option('--key <file>', 'a public key for cloud-init in the guest; may be repeated', collect, [])
    .option('--vnc', 'give it a screen')
    .option(...PLAN)
    .option('--no-wait', 'do not wait until it runs')
    .addHelpText(
      'after',
      `\nThe command is for host0. Without --network the guest joins ${DEFAULT_NETWORK}. A file that is not in the folder isos of host0 is\n` +
        'copied there, so that every node can fetch it.\n\n' +
        'Examples:\n  $ mesh workload run --image debian-12.qcow2 --network blue --memory 1G\n' +
        '  $ mesh workload run --image isos/alpine.iso --name rescue -n node1',
    )
    .action(async (options: RunOptions) => {
      const { node, plan = false, wait = true } = options;
      const host0 = host0Client(context.paths);
      const taken = new Set((await host0.ask('GET /v1/workloads')).map(({ name }) => name));
      const order = await orderOf(options, context, taken);
      const body = { workload: order, ...(node !== undefined && { node }) };
      const request = { path: { name: order.name }, body, query: dryRun(plan) };
      const answer = await host0.ask('POST /v1/workloads/{name}/start', request);
      await answerAndWait(context, answer, wait ? { doing: 'Starting', isDone: runsAsWanted } : undefined);
    });
}

async function orderOf(options: RunOptions, context: Context, taken: ReadonlySet<string>): Promise<Workload> {
  const { image, memory, threads, restart, firmware, vnc = false, size, plan = false } = options;
  const source = await sourceOf(image, context, plan);
  const isCd = /\.iso$/i.test(image);
  const name = options.name ?? freeName(image, taken);
  if (!fits(name)) throw wrong(`${JSON.stringify(name)} is no name of a workload`, 'Give one word with --name.');
  const keys = (await Promise.all(options.key.map(keysOf))).flat();
  const networks = options.network.length === 0 ? [DEFAULT_NETWORK] : options.network;
  const addresses = options.address.map(cardAddresses);
  return {
    name,
    uuid: randomUUID(),
    memoryBytes: memory,
    cpu: { threads, mode: 'host' },
    volumes: [
      isCd
        ? { id: 'cd', type: 'iso', path: `${name}.iso`, source }
        : { id: 'root', type: 'qcow2', path: `${name}.qcow2`, source, ...(size !== undefined && { sizeBytes: size }) },
    ],
    networks: networks.map((network, at) => ({
      id: `net${at}`,
      network,
      addresses: at === 0 ? addresses : [],
      model: 'virtio',
    })),
    console: { serial: true, vnc },
    firmware,
    restart,
    place: { kind: 'any' },
    ...((keys.length > 0 || addresses.length > 0) && { cloud: { keys } }),
  };
}

/** Where nodes get the image: a file of this machine goes into the folder isos of host0 first. */
async function sourceOf(image: string, { paths, stderr }: Context, plan: boolean): Promise<string> {
  if (/^https?:\/\//.test(image)) return image;
  const isos = join(paths.host0, 'isos');
  const file = resolve(image);
  const known = await stat(file).catch(() => undefined);
  if (known?.isFile() !== true) {
    const named = image.startsWith('isos/') ? image.slice('isos/'.length) : image;
    const source = checked(`isos/${named}`);
    if ((await stat(join(isos, named)).catch(() => undefined))?.isFile() === true) {
      await mustBeImage(join(isos, named), image);
      return source;
    }
    throw new MeshError('MESH_OBJECT_UNKNOWN', `there is no image ${JSON.stringify(image)}`, {
      object: image,
      rule: `An image is a file here, a file in ${isos}, or a URL.`,
      remedy: `See \`ls ${isos}\`.`,
    });
  }
  await mustBeImage(file, image);
  const inside = relative(isos, file);
  if (!inside.startsWith('..')) return checked(`isos/${inside}`);
  const source = checked(`isos/${basename(file)}`);
  if (!plan) await withProgress(stderr, `Copying ${basename(file)} to ${isos}`, publishImage(file, isos));
  else await mustNotBeAnother(file, join(isos, basename(file)));
  return source;
}

/** @throws MESH_USAGE for a name that no node can fetch */
function checked(source: string): string {
  try {
    return VolumeSourceShape.read(source);
  } catch {
    throw wrong(
      `${JSON.stringify(source)} cannot be the source of an image`,
      'Rename the file: no blanks, at most 500 characters.',
    );
  }
}

async function keysOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new MeshError('MESH_OBJECT_UNKNOWN', `the key ${file} cannot be read`, {
      object: file,
      cause,
      remedy: 'Name a file such as ~/.ssh/id_ed25519.pub.',
    });
  });
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    try {
      return PublicKeyShape.read(line);
    } catch {
      throw wrong(`${file} holds something that is no public key`, 'Name a file such as ~/.ssh/id_ed25519.pub.');
    }
  });
}

/** The name of the image without its ending, with a number where that is taken. */
function freeName(image: string, taken: ReadonlySet<string>): string {
  const word = basename(image)
    .replace(/\?.*$/, '')
    .replace(/\.(qcow2|img|iso|raw)$/i, '')
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, 56);
  const base = word === '' ? 'vm' : word;
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!taken.has(name)) return name;
  }
}

function fits(name: string): boolean {
  try {
    WorkloadNameShape.read(name);
    return true;
  } catch {
    return false;
  }
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function wrong(message: string, remedy: string): MeshError {
  return new MeshError('MESH_USAGE', message, { remedy });
}
