/** Hundreds of machines on one segment, each with its own network card (macvlan) and address. The segment may lose packets. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { inNetns } from '../../../src/kernel/netns.ts';
import { parseMac } from '../../../src/model/address/mac.ts';
import { type MachineId, machineIdOf } from '../../../src/model/machine.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { until } from '../until.ts';
import type { Booted, SyntheticMachine } from './synthetic-machine.ts';

const PROGRAM = new URL('./crowd-process.ts', import.meta.url).pathname;

/** One machine, with the name and id by which host0 knows it. */
export interface CrowdMember extends SyntheticMachine {
  readonly name: string;
  readonly machine: MachineId;
}

/** Makes up `count` machines; their numbers begin with 10. @param subnet the first three bytes of their addresses */
export function crowdOf(count: number, host0: string, subnet: string): CrowdMember[] {
  return Array.from({ length: count }, (_, index) => {
    const number = index + 10;
    const hex = number.toString(16).padStart(4, '0');
    const uuid = `4c4c4544-0042-3510-8052-b9c04f4e${hex}`;
    const mac = parseMac(`02:77:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`);
    const address = `${subnet}.${number}`;
    return { name: `rack-${number}`, machine: machineIdOf(uuid), host0, address, mac, uuid };
  });
}

/** Makes the cards of all machines on the segment of `eth0` in a namespace. */
export function plugIn(netns: string, crowd: readonly CrowdMember[]): void {
  // Each card answers ARP for its own address only.
  const settings = ['arp_ignore=1', 'arp_announce=2', 'rp_filter=0'].map((setting) => `net.ipv4.conf.all.${setting}`);
  inside(netns, 'sysctl', '-qw', ...settings, 'net.ipv6.conf.default.disable_ipv6=1');
  ip(
    netns,
    ...crowd.flatMap(({ address, mac }, index) => [
      `link add link eth0 name card${index} address ${mac} up type macvlan mode bridge`,
      `address add ${address}/24 dev card${index}`,
    ]),
  );
}

/** From now on the segment loses this share of packets, in both directions. */
export function losePackets(netns: string, percent: number): void {
  const lose = (hook: string) =>
    `add chain inet loss ${hook} { type filter hook ${hook} priority 0; }\nadd rule inet loss ${hook} numgen random mod 100 < ${percent} drop`;
  inside(netns, 'nft', `add table inet loss\n${lose('input')}\n${lose('output')}`);
}

/** One boot of all machines, in a process of its own. */
export class CrowdRun {
  readonly booted: Booted[] = [];
  readonly #child: ChildProcess;
  readonly #size: number;
  #said = '';

  constructor(netns: string, crowd: readonly CrowdMember[]) {
    this.#size = crowd.length;
    const words = ['--disable-warning=ExperimentalWarning', PROGRAM];
    this.#child = inNetns(netns, () => spawn(process.execPath, words, { stdio: 'pipe' }));
    const { stdin, stdout, stderr } = this.#child;
    stdin?.end(JSON.stringify(crowd));
    stderr?.on('data', (part: Buffer) => {
      this.#said += part.toString();
    });
    if (stdout) createInterface(stdout).on('line', (line) => this.booted.push(JSON.parse(line) as Booted));
  }

  /** Resolves when `count` machines have booted. */
  async until(count: number, deadlineMs: number): Promise<void> {
    const ended = () => this.#child.exitCode !== null && this.#child.exitCode !== 0;
    await until(`${count} of ${this.#size} machines have booted`, deadlineMs, () => {
      if (ended()) throw new Error(`the crowd has ended: ${this.#said}`);
      return this.booted.length >= count;
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${this.booted.length} have`);
    });
  }

  /** Resolves when all machines have booted. */
  all(deadlineMs: number): Promise<void> {
    return this.until(this.#size, deadlineMs);
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
