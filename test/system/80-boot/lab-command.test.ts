/** `mesh lab up --driver qemu` as a user runs it, and the commands of docs/first-boot.md. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { LABS_DIRECTORY } from '../../../src/lab/cluster/record.ts';
import { BOOT_STAGES } from '../../../src/protocol/documents/timeline-view.ts';
import { shownCommands } from '../../cli/console-block.ts';
import { pageOf, Typist } from '../typist.ts';
import { until } from '../until.ts';
import { builtImage } from './built-image.ts';
import { takeTurnToEmulate } from './emulation-lane.ts';

const MESH = new URL('../../../bin/mesh', import.meta.url).pathname;
const PAGE = 'docs/first-boot.md';
const name = `q${process.pid}`;
takeTurnToEmulate();
let typist: Typist;
/** Far longer than a boot takes, because the emulator shares the processors with other tests. */
const BOOT_MS = 240_000;
/** Five times the time until host0 serves the segment and a machine asks. */
const ASKED_MS = 60_000;

beforeAll(async () => {
  typist = new Typist(name);
  await builtImage();
}, 300_000);
afterAll(() => typist.close());

afterEach(async () => {
  if (existsSync(join(LABS_DIRECTORY, name))) await Lab.open(name).down();
});

class Run {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown[]>;

  constructor(...words: readonly string[]) {
    this.#child = spawn(MESH, ['lab', 'up', '--name', name, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#exit = once(this.#child, 'close');
    for (const stream of ['stdout', 'stderr'] as const) {
      this.#child[stream]?.setEncoding('utf8').on('data', (text: string) => {
        this[stream] += text;
      });
    }
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  async exitCode(): Promise<unknown> {
    return (await this.#exit)[0];
  }
}

function isGone(): void {
  expect(existsSync(join(LABS_DIRECTORY, name))).toBe(false);
  expect(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })).not.toContain(`mw-${name}-`);
  const emulators = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  expect(emulators.split('\n').filter((line) => line.includes(`${LABS_DIRECTORY}/${name}/`))).toEqual([]);
}

test(
  'each stage of a boot is shown, the result is as for a lab of namespaces, and the rest of the page works',
  async () => {
    const [up, ...rest] = shownCommands(pageOf(PAGE));
    const options = /^mesh lab up (.*)$/.exec(up?.text ?? '')?.[1]?.split(' ') ?? [];
    const run = new Run(...options, '--json');
    expect(`${await run.exitCode()}\n${run.stderr}`).toMatch(/^0\n/);
    const host = (node: string) => ({
      ...{ name: node, id: expect.stringMatching(/^[0-9a-f]{8}$/), mac: expect.stringMatching(/^02:/) },
      ...{ ipv4: expect.stringMatching(/^10\.11\.0\./), ipv6: expect.stringMatching(/^fd42:/), state: 'ready' },
    });
    const pair = (from: string, to: string) => ({ from, to, ok: true, rttMs: expect.any(Number) });
    expect(JSON.parse(run.stdout)).toEqual({
      ok: true,
      hosts: [host('host0'), host('node1')],
      pairs: [pair('host0', 'node1'), pair('node1', 'host0')],
      throughputGbps: expect.any(Number),
      tookMs: expect.any(Number),
    });
    // The firmware of this machine is iPXE, which needs no TFTP.
    const shown = BOOT_STAGES.filter((stage) => new RegExp(`✓ ${stage} `).test(run.stderr));
    expect(shown).toEqual(BOOT_STAGES.filter((stage) => stage !== 'tftp'));
    // This is no terminal: a stage is a line when it is reached, and no line says that a file is loading.
    expect(shown.filter((stage) => run.stderr.split(`✓ ${stage} `).length !== 2)).toEqual([]);
    expect(run.stderr).not.toContain('loading');
    expect(run.stderr).toMatch(/^node1 is a member after \d+\.\d s$/m);
    for (const command of rest) await typist.type(PAGE, command);
    expect(rest.at(-1)?.text).toBe('mesh lab down');
    isGone();
  },
  BOOT_MS,
);

test(
  'Ctrl-C while machines boot leaves nothing',
  async () => {
    const run = new Run('--driver', 'qemu', '--nodes', '2', '--keep');
    await until('a machine asks', ASKED_MS, () => run.stderr.includes('✓ discover'));
    run.interrupt();
    expect(await run.exitCode()).toBe(130);
    expect(run.stderr).toContain('taking the lab down');
    isGone();
  },
  BOOT_MS,
);
