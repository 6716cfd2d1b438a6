/** Waits until machines are up: their consoles say so, and they answer in the internal net. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { netnsPath } from '../../kernel/netns.ts';
import { EchoSocket } from '../../kernel/sockets/echo.ts';
import type { MeshError } from '../../model/error.ts';
import { vmIpv4, vmName } from '../topologies/vm-address.ts';
import { consoleLog, directoryOfVm, findEmulator } from './vm-files.ts';
import { isHopeless, READY_SIGN, vmTrouble } from './vm-trouble.ts';

/** How far a machine is. */
export type VmStage = 'starts' | 'boots' | 'is ready' | 'answers' | 'fails';

/** Called when a machine has reached another stage. */
export type OnVm = (name: string, stage: VmStage, afterMs: number) => void;

/** Which machines to wait for, and how. */
export interface AwaitedVms {
  readonly directory: string;
  readonly netns: string;
  readonly numbers: readonly number[];
  readonly deadlineMs: number;
  /** Whether this machine can reach the machines in net 0: a net set-up may not join it. */
  readonly byEcho: boolean;
  readonly onVm?: OnVm | undefined;
  readonly signal?: AbortSignal | undefined;
}

const LOOK_MS = 50;
const ECHO_MS = 500;
/** A boot says some hundred bytes; a kernel that is not quiet, some ten thousand. */
const BEGINNING_BYTES = 65_536;
/** A machine that has said it is ready answers at once, if at all. */
const ECHO_WITHIN_MS = 15_000;

/** @returns the trouble of each machine that is not up in time; the first that is certain to fail ends the wait */
export async function awaitVms({
  directory,
  netns,
  numbers,
  deadlineMs,
  byEcho,
  onVm,
  signal,
}: AwaitedVms): Promise<MeshError[]> {
  const startedMs = performance.now();
  const stages = new Map<number, VmStage>();
  const readyMs = new Map<number, number>();
  const echo = byEcho ? EchoSocket.open({ netns: netnsPath(netns) }) : undefined;
  const reach = (number: number, stage: VmStage): void => {
    if (stages.get(number) === stage) return;
    stages.set(number, stage);
    onVm?.(vmName(number), stage, performance.now() - startedMs);
  };
  try {
    for (;;) {
      signal?.throwIfAborted();
      await Promise.all(
        numbers.map(async (number) => {
          const stage = stages.get(number);
          if (stage === 'answers') return;
          const own = directoryOfVm(directory, number);
          const emulator = findEmulator(own);
          if (emulator === undefined) return reach(number, 'fails');
          if (stage !== 'is ready') {
            const said = beginningOf(consoleLog(own));
            if (isHopeless(said)) return reach(number, 'fails');
            if (!said.includes(READY_SIGN)) return reach(number, said === '' ? 'starts' : 'boots');
            readyMs.set(number, performance.now());
            reach(number, 'is ready');
          }
          const rttMs = echo === undefined ? 0 : await echo.echo(vmIpv4(0, number), { timeoutMs: ECHO_MS });
          if (rttMs !== undefined) reach(number, 'answers');
        }),
      );
      const left = numbers.filter((number) => stages.get(number) !== 'answers');
      if (left.length === 0) return [];
      const nowMs = performance.now();
      const lost = left.filter((number) => {
        const since = readyMs.get(number);
        return stages.get(number) === 'fails' || (since !== undefined && nowMs - since > ECHO_WITHIN_MS);
      });
      if (lost.length > 0 || nowMs - startedMs > deadlineMs) {
        return (lost.length > 0 ? lost : left).map((number) =>
          vmTrouble(vmName(number), directoryOfVm(directory, number), stages.get(number) === 'fails'),
        );
      }
      await sleep(LOOK_MS);
    }
  } finally {
    echo?.close();
  }
}

/** The beginning of a console, in which a machine says that it is ready. */
function beginningOf(file: string): string {
  if (!existsSync(file)) return '';
  const descriptor = openSync(file, 'r');
  try {
    // This is asked often, and mostly there is nothing.
    const { size } = fstatSync(descriptor);
    if (size === 0) return '';
    const whole = Buffer.alloc(Math.min(size, BEGINNING_BYTES));
    const read = readSync(descriptor, whole, 0, whole.length, 0);
    return whole.subarray(0, read).toString('latin1');
  } finally {
    closeSync(descriptor);
  }
}
