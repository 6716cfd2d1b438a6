/**
 * DHCP clients that go to another device. The address stays on the machine while a client is started again: the old one is killed
 * without a word, so that it neither gives the lease back nor takes the address away; the new one asks for the same address.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inNetns } from '../kernel/netns.ts';
import { awaitEnd, signalProcess } from '../services/process/process-mark.ts';
import { startUnsupervised } from '../services/process/process-start.ts';
import { type DhcpClient, dhcpClients, presentScript, scriptBefore } from './dhcp-clients.ts';
import { moveLeases } from './dhcp-leases.ts';
import type { ClientProgram } from './dhcp-program.ts';

/** What starts a client on the device that it goes to. It is recorded before the client is killed. */
export interface ClientOrder extends ClientProgram {
  /** That of the administrator, for udhcpc. Absent: that of the distribution. */
  readonly script?: string;
}

/** The devices of a move, and the directory for what a client needs at its start. */
export interface ClientMove {
  readonly from: string;
  readonly to: string;
  readonly directory: string;
}

const END_MS = 5_000;

/** Leaves out the first `deconfig`, which would take the address away before the lease is asked for again. */
const KEEPING_SCRIPT = `#!/bin/sh
if [ "$1" = deconfig ] && rm "$MESHWORK_FIRST" 2>/dev/null; then exit 0; fi
exec "$MESHWORK_SCRIPT" "$@"
`;

/** What starts a client again on the device `to`. Its files that have the device in their names get new names. */
export function orderOf({ program, mark, argv }: DhcpClient, { from, to, directory }: ClientMove): ClientOrder {
  const moved = argv.map((word) => onLink(word, from, to));
  if (program === 'dhclient') return { program, argv: moved };
  const { words, own } = withoutScript(moved);
  const script = own ?? scriptBefore(mark.pid, argv, directory);
  return { program, argv: words, ...(script !== undefined && { script }) };
}

/** The orders, and those of earlier that none of them takes the place of. */
export function withLost(orders: readonly ClientOrder[], earlier: readonly ClientOrder[]): ClientOrder[] {
  const present = new Set(orders.map(dutyOf));
  return [...orders, ...earlier.filter((order) => !present.has(dutyOf(order)))];
}

/**
 * Ends the clients of `from`, and starts what is wanted on `to` unless a client does the same there.
 * @param address that the clients shall ask for; undefined if the device has none
 */
export async function moveClients(
  wanted: readonly ClientOrder[],
  move: ClientMove,
  address: string | undefined,
): Promise<void> {
  const { from, to, directory } = move;
  const running = dhcpClients(from);
  const there = new Set(from === to ? [] : dhcpClients(to).map(dutyOf));
  await mkdir(directory, { recursive: true });
  for (const { mark } of running) signalProcess(mark, 'SIGKILL');
  await awaitEnd(
    running.map(({ mark }) => mark),
    END_MS,
  );
  for (const { argv } of running)
    for (const before of argv) await moveLeases({ before, after: onLink(before, from, to), from, to });
  for (const order of wanted) if (!there.has(dutyOf(order))) await startClient(order, move, address);
}

async function startClient(
  { program, argv, script: own }: ClientOrder,
  { to, directory }: ClientMove,
  address: string | undefined,
): Promise<void> {
  if (program === 'dhclient') return launch(program, to, directory, argv);
  const [script, first] = [join(directory, `udhcpc-${to}`), join(directory, `udhcpc-${to}.first`)];
  await writeFile(script, KEEPING_SCRIPT, { mode: 0o700 });
  await writeFile(first, '');
  const ask = address === undefined || argv.includes('-r') ? [] : ['-r', address];
  const env = { MESHWORK_SCRIPT: own ?? presentScript(), MESHWORK_FIRST: first };
  launch(program, to, directory, [...argv, ...ask, '-b', '-s', script], env);
}

/** Starts a client in a session of its own. @throws MESH_PROCESS_NOT_STARTED */
function launch(
  program: string,
  link: string,
  directory: string,
  [first = program, ...rest]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): void {
  const name = `${program}-${link}`;
  const argv: readonly [string, ...string[]] = [first, ...rest];
  const whole = { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', ...env };
  startUnsupervised({ name, title: `${program} on ${link}`, argv, env: whole }, directory, inNetns);
}

/** dhclient runs once for each family. */
function dutyOf({ program, argv }: ClientProgram): string {
  return `${program} ${argv.includes('-6') ? 6 : 4}`;
}

/** Without the words that end the client when no lease comes at once, and with its script apart. */
function withoutScript(argv: readonly string[]): { readonly words: readonly string[]; readonly own?: string } {
  const at = argv.findIndex((word) => word === '-s' || word === '--script');
  const own = at < 0 ? undefined : argv[at + 1];
  const isKeeping = own !== undefined && /\/udhcpc-[^/]*$/.test(own);
  const words = argv.filter(
    (word, place) =>
      !['-n', '-q', '-b', '--now', '--quit'].includes(word) && (at < 0 || (place !== at && place !== at + 1)),
  );
  return { words, ...(own !== undefined && !isKeeping && { own }) };
}

/** A word of a command line, with the other device where the first one is named. */
function onLink(word: string, from: string, to: string): string {
  if (word === from) return to;
  return word
    .split(/([/.:=])/)
    .map((part) => (part === from ? to : part))
    .join('');
}
