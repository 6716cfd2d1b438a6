/** A machine without a disk, emulated by QEMU in a network namespace. Its one network card is in a bridge there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inNetns } from '../../../src/kernel/netns.ts';
import { qemuArgv } from '../../../src/services/qemu/qemu-argv.ts';
import { ip } from '../../kit/namespaces.ts';
import { until } from '../until.ts';

/** Which machine to start, and where. */
export interface QemuMachineOptions {
  readonly netns: string;
  /** The name of a bridge in the namespace. */
  readonly bridge: string;
  /** The name of the machine's tap, which is made in the namespace. */
  readonly tap: string;
  readonly mac: string;
  /** Loaded by QEMU itself; absent: the firmware boots from the network. */
  readonly kernel?: { readonly vmlinuz: string; readonly initrd: string; readonly commandLine: string };
  readonly memoryMb?: number;
  /** By default the best that the emulator can do. */
  readonly cpuModel?: string;
}

/** A running machine; disposing of it kills the emulator. */
export class QemuMachine implements AsyncDisposable {
  readonly #process: ChildProcess;
  #console = '';

  private constructor(child: ChildProcess, directory: string) {
    this.#process = child;
    child.once('close', () => rmSync(directory, { recursive: true, force: true }));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#console += text;
      });
    }
  }

  static start(machine: QemuMachineOptions): QemuMachine {
    const { netns, bridge, tap, mac, kernel, memoryMb = 768, cpuModel = 'max' } = machine;
    ip(netns, `tuntap add ${tap} mode tap`, `link set ${tap} master ${bridge} up`);
    const directory = mkdtempSync(join(tmpdir(), 'mw-machine-'));
    const [program, ...words] = qemuArgv({
      ...{ name: tap, uuid: randomUUID(), accelerator: 'tcg', cpuModel, threads: 1, memoryBytes: memoryMb * 1024 ** 2 },
      cards: [{ id: 'net0', mac, model: 'virtio', tap, ...(kernel === undefined && { boots: true }) }],
      disks: [],
      firmware: { kind: 'bios' },
      ...(kernel !== undefined && {
        boot: {
          kernel: kernel.vmlinuz,
          initrd: kernel.initrd,
          append: `${kernel.commandLine} console=ttyS0,115200`,
        },
      }),
      ...{ reboots: false, screen: false, paused: false, pidFile: join(directory, 'pid') },
    });
    const child = inNetns(netns, () => spawn(program, words, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] }));
    return new QemuMachine(child, directory);
  }

  /** The machine was switched off or has rebooted: with -no-reboot, both end the emulator. */
  get ended(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** The output of its serial console so far. */
  get console(): string {
    return this.#console.replaceAll('\r', '');
  }

  /** The time stamp of the first matching line of kernel or init: seconds since the start of the kernel. */
  secondsAt(pattern: RegExp): number | undefined {
    const line = this.console.split('\n').find((text) => pattern.test(text));
    const seconds = /^(?:\[ *)?([0-9.]+)/.exec(line ?? '')?.[1];
    return seconds === undefined ? undefined : Number(seconds);
  }

  /** Resolves when `look` finds something. Otherwise the error has the last lines of the console. */
  async until<T>(what: string, deadlineMs: number, look: () => T | undefined | false | Promise<T | undefined | false>) {
    try {
      return await until(what, deadlineMs, () => {
        if (this.#process.exitCode !== null) throw new Error(`the machine ended while waiting: ${what}`);
        return look();
      });
    } catch (cause) {
      throw new Error(`${String(cause)}\n--- console ---\n${this.console.split('\n').slice(-30).join('\n')}`, {
        cause,
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const closed = once(this.#process, 'close');
    this.#process.kill('SIGKILL');
    await closed;
  }
}
