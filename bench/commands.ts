/** How long a user waits for `mesh`. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Measurement, measured, timed } from './measurement.ts';

const RUNS = 20;
const MESH = resolve(import.meta.dirname, '../bin/mesh');

export async function commands(): Promise<Measurement[]> {
  const root = mkdtempSync(join(tmpdir(), 'meshwork-bench-'));
  const env = { ...process.env, NODE_COMPILE_CACHE: join(root, 'cache') };
  const run = (...words: string[]) => timed(() => spawnSync(MESH, ['--root', root, ...words], { env }));
  const times = async (...words: string[]) => {
    // The first run compiles.
    await run(...words);
    const values: number[] = [];
    for (let i = 0; i < RUNS; i++) values.push(await run(...words));
    return values;
  };
  try {
    return [
      measured({ name: 'mesh --version', unit: 'ms', budget: { of: 'value', atMost: 80 } }, await times('--version')),
      measured(
        { name: 'mesh network list', unit: 'ms', budget: { of: 'value', atMost: 120 } },
        await times('network', 'list'),
      ),
    ];
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
