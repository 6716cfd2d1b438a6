/** `mesh workload vnc`: the screen, the keyboard and the mouse of a virtual machine, for a VNC viewer on this machine. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { Command, Option } from 'commander';
import { MeshError } from '../../model/error.ts';
import { type ControlClient, host0Client } from '../../protocol/calls/control-client.ts';
import type { Context } from '../context.ts';
import { Interrupt } from '../print/interrupt.ts';
import { wholeNumber } from '../print/number-option.ts';
import { printable } from '../print/printable.ts';
import { TypedBytes } from './typed-bytes.ts';
import { type ViewerPlace, ViewerPort } from './viewer-port.ts';

interface VncOptions {
  readonly workload: string;
  readonly port?: number;
  readonly socket?: string;
}

/** A screen by the node on which it is. */
interface Screen {
  readonly node: string;
  readonly workload: string;
}

const PORT_MAX = 65_535;

/** The command that a viewer goes through. */
export function workloadVncCommand(context: Context): Command {
  return new Command('vnc')
    .description('Give a VNC viewer on this machine the screen, the keyboard and the mouse of a virtual machine')
    .requiredOption('-w, --workload <name>', 'the name of the workload, whose file says platform.console.vnc=on')
    .addOption(
      new Option('--port <n>', 'listen at this port of 127.0.0.1; without it, at a free one').argParser(
        wholeNumber(1, PORT_MAX),
      ),
    )
    .addOption(new Option('--socket <path>', 'listen at this Unix socket, which only you may use').conflicts('port'))
    .addHelpText(
      'after',
      '\nThe command is for host0, and for a machine that has its control socket. It waits for one viewer, and ends when that viewer leaves, or with Ctrl-C. Each viewer has a command of its ' +
        'own; all share the screen. Nobody but root and you gets through the port.\n\n' +
        'Example:\n  $ mesh workload vnc -w web --port 5901\n  $ vncviewer 127.0.0.1::5901',
    )
    .action((options: VncOptions) => runVnc(context, options));
}

async function runVnc(context: Context, { workload, port = 0, socket }: VncOptions): Promise<void> {
  const client = host0Client(context.paths);
  const screen = { workload, node: await nodeOf(client, workload) };
  using interrupt = new Interrupt();
  const wanted: ViewerPlace = socket === undefined ? { kind: 'port', port } : { kind: 'socket', path: socket };
  using listener = await ViewerPort.open(wanted, (userId) => context.stderr.write(`${printable(refusal(userId))}\n`));
  context.emit({ ...screen, ...whereOf(listener.place) }, () => `${printable(invitation(screen, listener.place))}\n`);
  const viewer = await listener.viewer(interrupt.signal);
  if (viewer !== undefined) await show(context, client, screen, viewer, interrupt.signal);
  if (interrupt.signal.aborted) context.exitCode = interrupt.exitCode;
}

/** Passes bytes between a viewer and a screen until one of the two ends. */
async function show(
  { stderr }: Context,
  client: ControlClient<'host0'>,
  path: Screen,
  viewer: Socket,
  signal: AbortSignal,
): Promise<void> {
  const query = { viewer: randomBytes(8).toString('hex') };
  try {
    const output = await client.bytes('GET /v1/screens/{node}/{workload}', { path, query, signal });
    const { promise, resolve, reject } = Promise.withResolvers<'left' | 'gone'>();
    const send = (body: { readonly base64: string }) =>
      client.ask('PUT /v1/screens/{node}/{workload}', { path, query, body });
    const said = new TypedBytes({ send, source: viewer, failed: reject });
    viewer.on('data', (chunk: Buffer) => said.push(chunk));
    // The first of them counts: each end closes the other one.
    for (const event of ['end', 'close']) viewer.once(event, () => resolve('left'));
    for (const event of ['end', 'error']) output.once(event, () => resolve('gone'));
    void pipeline(output, viewer).catch(() => undefined);
    viewer.resume();
    const end = await promise.finally(() => output.destroy());
    if (end === 'gone' && !signal.aborted) stderr.write(`${printable(`The screen of ${path.workload} is gone.`)}\n`);
  } finally {
    viewer.destroy();
  }
}

/** The node of a workload that has a screen. @throws MESH_WORKLOAD_UNKNOWN, MESH_CONSOLE_NONE, MESH_CONSOLE_CLOSED */
async function nodeOf(client: ControlClient<'host0'>, name: string): Promise<string> {
  const { workload, node, run, state } = await client.ask('GET /v1/workloads/{name}', { path: { name } });
  if (!workload.console.vnc) {
    throw new MeshError('MESH_CONSOLE_NONE', `the workload ${name} has no screen`, {
      object: name,
      rule: 'A workload has a screen if its file says platform.console.vnc=on.',
      remedy: `Write that into the file, and \`mesh workload restart -w ${name}\`. Or use \`mesh workload console\`.`,
    });
  }
  if (node !== undefined && run?.pid !== undefined) return node;
  throw new MeshError('MESH_CONSOLE_CLOSED', `the workload ${name} does not run: it is ${state}`, {
    object: name,
    remedy: `Start it: \`mesh workload start -w ${name}\`.`,
    retryable: true,
  });
}

function whereOf(place: ViewerPlace) {
  return place.kind === 'port' ? { host: '127.0.0.1', port: place.port } : { socket: place.path };
}

function refusal(userId: number | undefined): string {
  const whose = userId === undefined ? 'of a user who is not known' : `of the user ${userId}`;
  return `A viewer ${whose} was refused: the port is for root and for you.`;
}

function invitation({ workload, node }: Screen, place: ViewerPlace): string {
  const where = place.kind === 'port' ? `127.0.0.1::${place.port}` : place.path;
  return `The screen of ${workload} on ${node} waits for a viewer: vncviewer ${where} (Ctrl-C ends).`;
}
