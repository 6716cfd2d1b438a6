/** Processes and files as items: a real loop keeps a real dnsmasq in a namespace, over restarts, faults and edits. */
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { temporaryNetns } from '../../kernel/netns.ts';
import { openServices } from '../../main/agent-services.ts';
import { systemClock } from '../../model/clock.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { dnsPart } from '../../services/dnsmasq/dns-part.ts';
import { interfacePart } from '../../services/dnsmasq/interface-part.ts';
import { confText, setting } from '../../services/dnsmasq/setting.ts';
import { isRunning, type ProcessMark, processMarkOf, signalProcess } from '../../services/process/process-mark.ts';
import { PartFold } from '../desired/part-fold.ts';
import { type NodeService, servicePart } from '../desired/parts/service.ts';
import { SystemKernel } from '../kernel/system-kernel.ts';
import { printStep } from '../loop/plan.ts';
import { Reconciler } from '../loop/reconciler.ts';
import type { NodeServices } from './node-services.ts';

const WAIT = { timeout: 60_000, interval: 20 };

let state: string;
let netns: string;
let journal: Journal;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'mw-services-'));
  const namespace = temporaryNetns();
  netns = namespace.path;
  journal = new Journal(systemClock, 'agent', 'node1');
  ip(netns, 'link set lo up', 'link add br7 type bridge', 'address add 10.77.0.1/24 dev br7', 'link set br7 up');
  onTestFinished(() => {
    namespace.close();
    rmSync(state, { recursive: true, force: true });
  });
});

/** An agent, as far as processes and files are concerned. */
class Loop {
  wanted: readonly NodeService[] = [];
  /** The steps of all passes, a line each. */
  readonly steps: string[] = [];
  readonly #fold = new PartFold();
  readonly reconciler: Reconciler;
  readonly services: NodeServices;
  readonly #kernel: SystemKernel;
  #crashed = false;

  private constructor(kernel: SystemKernel) {
    this.#kernel = kernel;
    this.services = openServices({ state, run: join(state, 'run'), netns: join(state, 'netns') }, systemClock, journal);
    this.reconciler = new Reconciler({
      kernel,
      services: this.services,
      clock: systemClock,
      journal,
      desire: () => {
        this.#fold.update(this.wanted.map(servicePart));
        const changed = this.#fold.takeChanges();
        return { items: this.#fold.items, changed, mayDelete: () => true, recorded: () => [] };
      },
      onLastingFailure: () => undefined,
    });
    this.reconciler.passes.subscribe(({ outcomes }) => {
      this.steps.push(...outcomes.map(({ step }) => printStep(step)));
    });
  }

  static async start(wanted: readonly NodeService[]): Promise<Loop> {
    const loop = new Loop(await SystemKernel.open(() => undefined, { netns }));
    onTestFinished(() => loop.end());
    loop.wanted = wanted;
    await loop.reconciler.start();
    return loop;
  }

  async want(wanted: readonly NodeService[]): Promise<void> {
    this.wanted = wanted;
    await this.reconciler.wake();
  }

  /** The agent is gone, and its processes are not. */
  async crash(): Promise<void> {
    this.#crashed = true;
    await this.reconciler.close();
    await this.services.release();
    await this.#kernel.close();
  }

  /** All goes, unless another agent has taken over. */
  async end(): Promise<void> {
    if (this.#crashed) return;
    await this.want([]);
    await vi.waitFor(async () => expect(await this.services.observe(new Map())).toEqual([]), WAIT);
    await this.crash();
  }

  async plan(): Promise<string[]> {
    return (await this.reconciler.drift()).steps.map(printStep);
  }

  /** The only process, when it does its work. */
  async ready(name = 'dnsmasq-blue'): Promise<ProcessMark> {
    return await vi.waitFor(() => {
      const { pid, ready } = JSON.parse(readFileSync(join(state, `services/processes/${name}.process.json`), 'utf8'));
      expect(ready).toBe(true);
      const mark = processMarkOf(pid);
      expect(isRunning(mark)).toBe(true);
      return mark;
    }, WAIT);
  }
}

const file = (name: string) => join(state, 'services/files', name);

/** The DNS of a network: its names are read again on a signal, its configuration is not. */
function dns(names: string, { domain = 'blue.example' } = {}): NodeService {
  const [conf, hosts] = [file('blue/dnsmasq.conf'), file('blue/hosts')];
  const none = { hosts: [], srv: [], txt: [], forwarders: [] };
  const content = confText(interfacePart('br7'), dnsPart({ domain, ...none }), [setting`addn-hosts=${hosts}`]);
  return {
    process: {
      name: 'dnsmasq-blue',
      title: 'dnsmasq for blue',
      argv: ['dnsmasq', '--keep-in-foreground', `--conf-file=${conf}`, '--pid-file', '--log-facility=-', '--user=root'],
      netns,
      readiness: { kind: 'line', text: 'started, version' },
    },
    files: [
      { path: conf, content, mode: 0o640, read: 'start' },
      { path: hosts, content: names, mode: 0o644, read: 'signal' },
    ],
  };
}

const NAMES = '10.77.0.9 web.blue.example\n';
const answerTo = (name: string) =>
  [...inside(netns, 'busybox', 'nslookup', '-type=a', name, '10.77.0.1').matchAll(/^Address: ([0-9.]+)$/gm)].at(
    -1,
  )?.[1];

test('a service is planned, started, changed by a signal or by another start, and removed; a second plan is empty', async () => {
  const loop = await Loop.start([]);
  loop.wanted = [dns(NAMES)];
  const { steps } = loop;
  await loop.reconciler.wake();
  expect(steps.splice(0)).toEqual([
    `write ${file('blue/dnsmasq.conf')}`,
    `write ${file('blue/hosts')}`,
    'start dnsmasq for blue',
  ]);
  expect(await loop.plan()).toEqual([]);
  const first = await loop.ready();
  expect(answerTo('web.blue.example')).toBe('10.77.0.9');

  await loop.want([dns('10.77.0.10 web.blue.example\n')]);
  expect(steps.splice(0)).toEqual([
    `write ${file('blue/hosts')} # content`,
    'signal dnsmasq for blue with SIGHUP # what it reads again',
  ]);
  await vi.waitFor(() => expect(answerTo('web.blue.example')).toBe('10.77.0.10'), WAIT);
  expect(await loop.plan()).toEqual([]);
  expect(isRunning(first)).toBe(true);

  await loop.want([dns(NAMES, { domain: 'green.example' })]);
  expect(steps.splice(0)).toContain(
    'start dnsmasq for blue # recreated: its command or what it reads at its start, what it reads again',
  );
  expect(await loop.plan()).toEqual([]);
  await vi.waitFor(() => expect(isRunning(first)).toBe(false), WAIT);
  const second = await loop.ready();

  await loop.want([]);
  expect(steps.splice(0)).toEqual(['stop dnsmasq-blue', `rm ${file('blue/dnsmasq.conf')}`, `rm ${file('blue/hosts')}`]);
  await vi.waitFor(() => expect(isRunning(second)).toBe(false), WAIT);
  expect(await loop.plan()).toEqual([]);
  expect(existsSync(file('blue/hosts'))).toBe(false);
});

test('a killed child is started again; a killed agent leaves it at work, and the next one adopts it', async () => {
  const loop = await Loop.start([dns(NAMES)]);
  const first = await loop.ready();
  signalProcess(first, 'SIGKILL');
  await vi.waitFor(() => expect(isRunning(first)).toBe(false), WAIT);
  const second = await vi.waitFor(async () => {
    const mark = await loop.ready();
    expect(mark.pid).not.toBe(first.pid);
    return mark;
  }, WAIT);
  await loop.crash();
  expect(answerTo('web.blue.example')).toBe('10.77.0.9');

  const next = await Loop.start([dns(NAMES)]);
  expect(await next.plan()).toEqual([]);
  expect(isRunning(second)).toBe(true);
  // The next one also hears of the end of a process that is not its child.
  signalProcess(second, 'SIGKILL');
  await vi.waitFor(async () => expect((await next.ready()).pid).not.toBe(second.pid), WAIT);
  // With another configuration, it is another process.
  await next.crash();
  const third = await next.ready();
  const last = await Loop.start([dns(NAMES, { domain: 'green.example' })]);
  await vi.waitFor(() => expect(isRunning(third)).toBe(false), WAIT);
  expect((await last.ready()).pid).not.toBe(third.pid);
});

test('a namespace that was made again gets a process of its own', async () => {
  const place = join(state, 'ns');
  symlinkSync(netns, place);
  const there = { ...dns(NAMES), process: { ...dns(NAMES).process, netns: place } };
  const loop = await Loop.start([there]);
  const first = await loop.ready();
  const other = temporaryNetns();
  onTestFinished(() => other.close());
  ip(other.path, 'link set lo up', 'link add br7 type bridge', 'address add 10.77.0.1/24 dev br7', 'link set br7 up');
  rmSync(place);
  symlinkSync(other.path, place);
  await vi.waitFor(() => expect(isRunning(first)).toBe(false), WAIT);
  expect(loop.steps).toContain('start dnsmasq for blue # recreated: its network namespace was made again');
  await loop.ready();
  netns = other.path;
  expect(answerTo('web.blue.example')).toBe('10.77.0.9');
});

test('a process that ends at once is started a bounded number of times, and is a finding with a remedy', async () => {
  const remedies = [{ says: 'no good', remedy: 'Mend it.' }];
  const argv = ['sh', '-c', 'echo no good >&2; exit 3'] as const;
  const loop = await Loop.start([{ process: { name: 'bad', title: 'a bad one', argv, remedies }, files: [] }]);
  await vi.waitFor(() => expect(loop.services.health()).toHaveLength(1), WAIT);
  expect(loop.services.health()).toMatchObject([
    {
      code: 'MESH_PROCESS_FAILED',
      severity: 'error',
      object: 'bad',
      message: 'bad ended with 3; it last said: no good',
      remedy: 'Mend it. It is started again automatically.',
    },
  ]);
  const starts = () => journal.recent().filter(({ kind }) => kind === 'service started').length;
  await vi.waitFor(() => expect(starts()).toBeGreaterThan(1), WAIT);
  // The pauses double: a loop that is asked all the time starts it no more often.
  const sofar = starts();
  for (let asked = 0; asked < 50; asked++) await loop.reconciler.wake();
  expect(starts()).toBeLessThanOrEqual(sofar + 1);
  // It is not wanted any more: the finding ends, too.
  await loop.want([]);
  expect(loop.services.health()).toEqual([]);
});

test('a file that an outsider has changed, replaced or added is as desired again, and a process waits for its file', async () => {
  const loop = await Loop.start([dns(NAMES)]);
  await loop.ready();
  writeFileSync(file('blue/hosts'), '10.77.0.66 web.blue.example\n');
  await vi.waitFor(async () => {
    await loop.reconciler.wake();
    expect(loop.steps.splice(0)).toContain(`write ${file('blue/hosts')} # content`);
  }, WAIT);
  writeFileSync(join(state, 'secret'), 'a secret');
  rmSync(file('blue/dnsmasq.conf'));
  symlinkSync(join(state, 'secret'), file('blue/dnsmasq.conf'));
  writeFileSync(file('stray'), '');
  await loop.reconciler.wake();
  expect(await loop.plan()).toEqual([]);
  expect(readFileSync(file('blue/hosts'), 'utf8')).toBe(NAMES);
  expect(readFileSync(join(state, 'secret'), 'utf8')).toBe('a secret');
  expect(existsSync(file('stray'))).toBe(false);
  // The directory of a second service is a file: its own file cannot be written, and its process is not started.
  const blocked = join(file('blue/hosts'), 'conf');
  const second: NodeService = {
    process: { name: 'second', title: 'a second one', argv: ['sleep', '60'] },
    files: [{ path: blocked, content: '', mode: 0o640, read: 'start' }],
  };
  await loop.want([dns(NAMES), second]);
  expect(existsSync(join(state, 'services/processes/second.process.json'))).toBe(false);
  await vi.waitFor(
    () => expect(loop.reconciler.lastingFailures()).toMatchObject([{ error: { code: 'MESH_DISK_REFUSED' } }]),
    WAIT,
  );
  expect(loop.reconciler.waitsFor('process:second')).toBe(`file:${blocked}`);
});
