/** One workload without its emulator: when it is started, and what its end needs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { workload as web } from '../../../test/kit/workloads.ts';
import { MeshError } from '../../model/error.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { processMarkOf } from '../../services/process/process-mark.ts';
import type { ProcessEnd, RunningProcess } from '../../services/process/process-place.ts';
import { specDigest } from '../../services/process/process-spec.ts';
import { Guest } from './guest.ts';

/** A guest whose node, processes and disk are the test's. */
class Bench {
  readonly clock = new ManualClock();
  readonly guest: Guest;
  running: RunningProcess | undefined;
  end: ProcessEnd | undefined;
  /** How often the parts of an emulator were made ready. */
  starts = 0;
  refusal: MeshError | undefined;
  readonly journal = new Journal(this.clock, 'agent', 'node1');

  constructor() {
    const directory = mkdtempSync(join(tmpdir(), 'mw-guest-'));
    onTestFinished(async () => {
      await this.guest.release();
      rmSync(directory, { recursive: true });
    });
    this.guest = new Guest(
      {
        clock: this.clock,
        journal: this.journal,
        launcher: { running: () => this.running, endOf: () => this.end, errorOf: () => undefined },
        records: { write: () => (this.refusal === undefined ? Promise.resolve() : Promise.reject(this.refusal)) },
        listenerOf: () => undefined,
        wasKilledForMemory: () => false,
        makeReady: () => {
          this.starts++;
          return Promise.resolve({
            ...{ probe: { accelerator: 'tcg' }, disks: [], cards: [], taps: [], firmware: { kind: 'bios' } },
            ...{ user: { uid: 0, gid: 0 }, directory, outputFile: join(directory, 'output'), volumeMemoryBytes: 0 },
            memoryVolumes: [],
            ...{ consoleLog: join(directory, 'console.log'), pidFile: join(directory, 'pid') },
          });
        },
        needs: () => [],
        isConfirmed: () => true,
        hasRoom: () => Promise.resolve(true),
        onItems: () => undefined,
        onState: () => undefined,
        graceSec: 60,
      },
      assigned({}),
      undefined,
    );
  }

  /** Lets the guest do what follows. */
  async settled(): Promise<void> {
    this.guest.look();
    await this.clock.pass(0);
  }

  get digest(): string {
    const { service } = this.guest;
    if (service === undefined) throw new Error('no emulator is wanted');
    return specDigest(service.process);
  }

  /** The emulator is killed. */
  async kill(): Promise<void> {
    const { digest } = this;
    this.running = undefined;
    this.end = { pid: 2, startTime: '1', digest, ranMs: 100, signal: 'SIGKILL', lastLine: '', outOfMemory: false };
    await this.settled();
  }
}

function assigned(of: Partial<AssignedWorkload>): AssignedWorkload {
  const workload = { ...web, volumes: [], networks: [] };
  return { kind: 'vm', id: '1a2b3c4d', generation: 1, workload, ports: {}, wanted: 'running', ...of };
}

test('looks at a guest do not shorten the pause before its next start, and a later generation starts at once', async () => {
  const bench = new Bench();
  const { guest, clock } = bench;
  await bench.settled();
  await bench.kill();
  expect(guest.run).toMatchObject({ state: 'failed', restarts: 1 });
  await bench.settled();
  await clock.pass(499);
  await bench.settled();
  expect(bench.starts).toBe(1);
  await clock.pass(1);
  expect(bench.starts).toBe(2);
  await bench.kill();
  guest.want(assigned({ generation: 2 }));
  await clock.pass(0);
  expect(bench.starts).toBe(3);
});

test('a record that cannot be written is journalled, and the emulator is ended all the same', async () => {
  const bench = new Bench();
  const { guest, clock, journal } = bench;
  await bench.settled();
  bench.refusal = new MeshError('MESH_DISK_REFUSED', 'the disk is full');
  guest.want(assigned({ wanted: 'stopped' }));
  await clock.pass(0);
  expect({ service: guest.service, state: guest.run.state }).toEqual({ service: undefined, state: 'stopped' });
  const told = journal.recent().filter(({ code }) => code === 'MESH_DISK_REFUSED');
  expect(told).toMatchObject([{ object: 'web', level: 'error' }]);
});

test('the next emulator waits until the one before has ended', async () => {
  const bench = new Bench();
  const { guest, clock } = bench;
  await bench.settled();
  const before = spawn('sleep', ['600'], { stdio: 'ignore' });
  const mark = processMarkOf(before.pid ?? 0);
  const { digest } = bench;
  bench.running = { ...mark, digest, label: '', ready: true, astray: false };
  guest.want(assigned({ generation: 2 }));
  // Its monitor stays silent, so it is ended at last.
  await clock.pass(61_000);
  expect(guest.run).toMatchObject({ state: 'preparing', generation: 2, why: 'the emulator of before is ending' });
  expect({ service: guest.service, starts: bench.starts }).toEqual({ service: undefined, starts: 1 });
  const gone = once(before, 'exit');
  before.kill('SIGKILL');
  await gone;
  bench.running = undefined;
  await clock.pass(100);
  expect(bench.starts).toBe(2);
});
