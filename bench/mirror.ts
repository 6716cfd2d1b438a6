/** The mirror of packages: a large index is read, and what fifty machines install from it is worked out. */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parsePackageIndex } from '../src/formats/apk/package-index.ts';
import { PackageCatalogue } from '../src/image/mirror/catalogue.ts';
import { solveAll } from '../src/image/mirror/download.ts';
import { randomFrom } from '../test/kit/random.ts';
import { type Measurement, measured, timed } from './measurement.ts';
import type { Run } from './run.ts';

const PACKAGES = 20_000;
const WORLDS = 50;
const WORDS = 15;
const ROUNDS = 5;
/** A directory with genuine indexes of Alpine, `NAME.APKINDEX.gz`: they are read, too. */
const GENUINE = process.env.MESH_ALPINE_INDEXES;

/** The benchmark `mirror`. */
export async function mirror({ signal, stage }: Run): Promise<Measurement[]> {
  const text = indexText();
  const worlds = someWorlds();
  const reads: number[] = [];
  const closures: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    signal.throwIfAborted();
    stage(`an index of ${PACKAGES} packages: round ${round + 1} of ${ROUNDS}`);
    let index = parsePackageIndex('');
    reads.push(
      await timed(() => {
        index = parsePackageIndex(text);
      }),
    );
    closures.push(
      await timed(() => {
        const { errors } = solveAll(new PackageCatalogue([{ name: 'main', records: index.records }]), worlds);
        if (errors[0] !== undefined) throw errors[0];
      }),
    );
  }
  const named = (name: string, atMost: number) => ({ name, unit: 'ms', budget: { of: 'value', atMost } }) as const;
  stage('the memory of all that');
  const megabytes = Array.from({ length: 3 }, () => memoryMb());
  return [
    measured(named(`index of ${PACKAGES} packages read`, 300), reads),
    measured(named(`what ${WORLDS} machines install of ${PACKAGES} packages`, 1500), closures),
    measured(
      { name: 'memory of a process that does both', unit: 'MB', budget: { of: 'value', atMost: 300 } },
      megabytes,
    ),
    ...(await genuine(GENUINE)),
  ];
}

function someWorlds() {
  const random = randomFrom(1);
  return Array.from({ length: WORLDS }, (_, number) => ({
    machines: [`node${number}`],
    words: Array.from({ length: WORDS }, () => `p${Math.floor(random() * PACKAGES)}`),
  }));
}

/** The most memory that a process of its own has had which reads the index and works out what machines install. */
function memoryMb(): number {
  const { stdout } = spawnSync(process.execPath, [import.meta.filename], { encoding: 'utf8' });
  return Number(stdout) / 1000;
}

/** How long genuine indexes take to read, all together. @param directory undefined: there are none */
async function genuine(directory: string | undefined): Promise<readonly Measurement[]> {
  if (directory === undefined) return [];
  const names = readdirSync(directory).filter((name) => name.endsWith('.APKINDEX.gz'));
  const texts = names.map((name) => gunzipSync(readFileSync(join(directory, name))).toString('utf8'));
  const reads: number[] = [];
  let packages = 0;
  for (let round = 0; round < ROUNDS; round++) {
    packages = 0;
    reads.push(
      await timed(() => {
        for (const text of texts) packages += parsePackageIndex(text).records.length;
      }),
    );
  }
  const name = `${texts.length} indexes of Alpine with ${packages} packages read`;
  return [measured({ name, unit: 'ms', budget: { of: 'value', atMost: 300 } }, reads)];
}

/** An index with dependencies as deep as Alpine's: most packages need the same few libraries. */
function indexText(): string {
  const random = randomFrom(7);
  const before = (number: number) => Math.floor(random() ** 6 * number);
  const records = Array.from({ length: PACKAGES }, (_, number) => {
    const depends =
      number < 10 ? '' : `D:${Array.from({ length: 3 }, () => `so:lib${before(number)}.so.1`).join(' ')}\n`;
    const installIf = number % 3 === 0 && number > 0 ? `i:p${number - 1}=1.${number - 1}-r0 p0\n` : '';
    const checksum = `Q1${number.toString().padStart(27, '0')}=`;
    return (
      `C:${checksum}\nP:p${number}\nV:1.${number}-r0\nA:x86_64\nS:100000\nI:400000\nT:Package number ${number}\n` +
      `U:https://example.org/\nL:MIT\no:p${number}\nt:1700000000\nc:${'ab'.repeat(20)}\n${depends}` +
      `p:so:lib${number}.so.1=1.0 cmd:p${number}=1.${number}-r0\n${installIf}\n`
    );
  });
  return records.join('');
}

if (import.meta.main) {
  const { records } = parsePackageIndex(indexText());
  solveAll(new PackageCatalogue([{ name: 'main', records }]), someWorlds());
  process.stdout.write(`${process.resourceUsage().maxRSS}`);
}
