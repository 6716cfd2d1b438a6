/** `mesh system configure` for a thousand machines: the first time, and again when nothing has changed. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Measurement, measured, timed } from './measurement.ts';
import type { Run } from './run.ts';

const MACHINES = 1000;
const ROUNDS = 3;
const AGAIN = 3;
const MESH = new URL('../bin/mesh', import.meta.url).pathname;

/** The benchmark `overlays`. */
export async function overlays({ signal, stage }: Run): Promise<Measurement[]> {
  const first: number[] = [];
  const again: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const root = mkdtempSync(join(tmpdir(), 'mw-overlays-'));
    try {
      writeTree(root);
      stage(`${MACHINES} machines: round ${round + 1} of ${ROUNDS}`);
      first.push(await timed(() => configure(root)));
      for (let time = 0; time < AGAIN; time++) {
        signal.throwIfAborted();
        again.push(await timed(() => configure(root)));
      }
    } finally {
      rmSync(root, { recursive: true });
    }
  }
  const named = (what: string, atMost: number) =>
    ({ name: `overlays of ${MACHINES} machines, ${what}`, unit: 'ms', budget: { of: 'value', atMost } }) as const;
  return [measured(named('the first time', 5000), first), measured(named('again without a change', 1000), again)];
}

/** Writes a `/host0` of a thousand machines: two groups with files of some kB, and for each machine two files and three actions of its own. */
function writeTree(root: string): void {
  const write = (path: string, text: string) => {
    mkdirSync(join(root, 'host0', path, '..'), { recursive: true });
    writeFileSync(join(root, 'host0', path), text);
  };
  for (const group of ['baseline', 'storage']) {
    const files = ['motd', 'profile', 'sysctl'].map((name) => {
      write(`groups/${group}/${name}`, `${group} ${name}\n`.repeat(200));
      return `O MODE=root:root:0644 SRC=/host0/groups/${group}/${name} TGT=/etc/${group}/${name}\n`;
    });
    write(`groups/${group}/manifest`, `D MODE=root:root:0755 TGT=/etc/${group}\n${files.join('')}`);
    write(`groups/${group}/packages`, 'openssh\nchrony\n');
  }
  for (let number = 0; number < MACHINES; number++) {
    const folder = `machines/rack-${number}`;
    write(`${folder}/UUID`, `${number.toString(16).padStart(8, '0')}\n`);
    write(`${folder}/groups`, 'baseline\nstorage\n');
    write(`${folder}/own`, `of machine ${number}\n`.repeat(20));
    write(`${folder}/line`, `rack-${number}\n`);
    const lines = [
      `O MODE=root:root:0600 SRC=/host0/${folder}/own TGT=/etc/own`,
      `A MODE=root:root:0644 SRC=/host0/${folder}/line TGT=/etc/baseline/motd`,
      'L SRC=/etc/own TGT=/root/own',
    ];
    write(`${folder}/manifest`, `${lines.join('\n')}\n`);
  }
}

function configure(root: string): void {
  const words = ['--root', root, 'system', 'configure', '--json'];
  const { status, stderr } = spawnSync(MESH, words, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`mesh ${words.join(' ')}: ${stderr}`);
}
