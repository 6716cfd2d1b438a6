/**
 * How the cards of machines are joined to the nets of a lab. By itself by a tap on the bridge of the net; else by a script, which is
 * called as `$__net_setup <node> <net>` in the lab's namespace, and prints options of QEMU.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandDirectory } from '../../image/node/program-files.ts';
import { inNetns } from '../../kernel/netns.ts';
import { MeshError } from '../../model/error.ts';
import { shippedFile } from '../shipped-files.ts';
import { bridgeOfNet, vmMac } from '../topologies/vm-address.ts';
import { printedOptions } from './printed-options.ts';

/** One card that a script shall set up. */
export interface NetCall {
  readonly number: number;
  readonly net: number;
  readonly mtuBytes?: number | undefined;
}

/** Where and for which lab a script runs. */
export interface NetPlace {
  /** The name of the lab. */
  readonly name: string;
  /** The path of its namespace. */
  readonly netns: string;
  /** The lab's own directory. Scripts may put files and daemons there; it goes with the lab. */
  readonly directory: string;
  readonly accelerator: string;
}

/** Starting Open vSwitch takes 0.2 s on an idle machine. */
const SCRIPT_MS = 60_000;
const OUTPUT_MAX = 64 * 1024;
/** What a script has written is in the pipes when it ends, and read within a turn of the event loop. */
const LAST_WORDS_MS = 50;

/** The set-ups that come with labs, by name. */
export const SHIPPED_SET_UPS = ['user', 'multicast', 'switch', 'ovs'] as const;

/**
 * The path of a script: by its path, or by the name of one that comes with labs.
 * @returns undefined for taps on bridges, the set-up without a script
 * @throws MESH_LAB_NET_SETUP
 */
export function findNetSetup(word: string | undefined, base: string): string | undefined {
  if (word === undefined || word === '' || word === 'bridge') return undefined;
  const shipped = SHIPPED_SET_UPS.some((name) => name === word);
  const path = shipped ? shippedFile('net-setup', word) : resolve(base, word);
  const refuse = (message: string, remedy: string) =>
    new MeshError('MESH_LAB_NET_SETUP', message, {
      object: path,
      rule: `A net set-up is an executable file, or one of bridge, ${SHIPPED_SET_UPS.join(', ')}.`,
      remedy,
    });
  if (!existsSync(path))
    throw refuse(`there is no net set-up ${path}`, 'Name an executable file, or one of these words.');
  if (!statSync(path).isFile()) throw refuse(`${path} is no file`, 'Name an executable file.');
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw refuse(`${path} is not executable`, `Run chmod +x ${path}`);
  }
  return path;
}

/** Calls a script for one card. @returns the options that it prints. @throws MESH_LAB_NET_SETUP with its own last words */
export async function callNetSetup(script: string, call: NetCall, place: NetPlace): Promise<string[]> {
  const { number, net, mtuBytes = 1_500 } = call;
  const words = `${number} ${net}`;
  const child = inNetns(place.netns, () =>
    spawn(script, [String(number), String(net)], {
      cwd: place.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        LAB_DIR: place.directory,
        LAB_MAC: vmMac(net, number),
        LAB_BRIDGE: bridgeOfNet(net),
        XCLUSTER_TMP: place.directory,
        MESH_LAB: place.name,
        PATH: `${commandDirectory}:${process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin'}`,
        __mtu: String(mtuBytes),
        __kvm: 'qemu-system-x86_64',
        __accelerator: place.accelerator,
      },
    }),
  );
  let isLate = false;
  const alarm = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, SCRIPT_MS);
  let [printed, complaint] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed = `${printed}${text}`.slice(0, OUTPUT_MAX);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = `${complaint}${text}`.slice(-OUTPUT_MAX);
  });
  const fault = await endOf(child);
  clearTimeout(alarm);
  if (fault === undefined) return printedOptions(script, words, printed);
  const last = complaint.trim().split('\n').slice(-3).join('; ');
  const how = isLate ? `did not end within ${SCRIPT_MS / 1000} s` : fault;
  throw new MeshError('MESH_LAB_NET_SETUP', `${script} ${words} ${how}${last === '' ? '' : `: ${last}`}`, {
    operation: 'set up a net',
    object: script,
    rule: 'A net set-up ends with 0, and prints options of QEMU.',
    remedy: `Run it by hand in the lab: \`mesh lab exec host0 -- ${script} ${words}\``,
  });
}

/** How a script has ended; undefined where it has ended well. A daemon that it starts may hold its pipes open for longer. */
async function endOf(child: ChildProcess): Promise<string | undefined> {
  const fault = await new Promise<string | undefined>((settle) => {
    child.once('error', ({ message }) => settle(`cannot be started: ${message}`));
    child.once('exit', (code, signal) => {
      settle(code === 0 ? undefined : signal === null ? `ended with ${code}` : `was ended by ${signal}`);
    });
  });
  const closed = once(child, 'close').then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return fault;
}
