/** The mirror of packages: a large index is read, and what fifty machines install from it is worked out. */

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

/** The benchmark `mirror`. */
export async function mirror({ signal, stage }: Run): Promise<Measurement[]> {
  const text = indexText();
  const random = randomFrom(1);
  const worlds = Array.from({ length: WORLDS }, (_, number) => ({
    machines: [`node${number}`],
    words: Array.from({ length: WORDS }, () => `p${Math.floor(random() * PACKAGES)}`),
  }));
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
  return [
    measured(named(`index of ${PACKAGES} packages read`, 300), reads),
    measured(named(`what ${WORLDS} machines install of ${PACKAGES} packages`, 1500), closures),
  ];
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
