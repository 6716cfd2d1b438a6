/** The power goes while files of the source come in: the generation before is served, and the next run makes the new one whole. */
import { createHash } from 'node:crypto';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type TestPackage, testSigner, writeRepository } from '../../../test/kit/alpine-repository.ts';
import { PowerCut } from '../../../test/kit/forgetful-disk.ts';
import { LONG } from '../../../test/kit/long.ts';
import { randomFrom } from '../../../test/kit/random.ts';
import { trustedKey } from '../../formats/apk/signature.ts';
import { download } from './download.ts';
import { MirrorStore } from './mirror-store.ts';
import { SeenIndexes } from './seen-indexes.ts';
import { DirectoryUpstream, type Upstream } from './upstream.ts';

const place = mkdtempSync(join(tmpdir(), 'mirror-cut-'));
afterAll(() => rmSync(place, { recursive: true }));

const signer = testSigner();
const host0 = testSigner('host0-12345678.rsa.pub');
const OLD: readonly TestPackage[] = [
  { title: 'alpine-base-3.19.1-r0', depends: 'busybox' },
  { title: 'busybox-1.36.1-r0' },
];
const NEW: readonly TestPackage[] = [
  { title: 'alpine-base-3.19.2-r0', depends: 'busybox musl' },
  { title: 'busybox-1.36.2-r0' },
  { title: 'musl-1.2.5-r0' },
];
/** A network gives a few bytes at a time; small pieces give many moments. */
const PIECE_BYTES = 48;

/** A source that is cut off after so many pieces, with the machine. */
class Dying implements Upstream {
  readonly name: string;
  pieces = 0;
  readonly #source: DirectoryUpstream;
  readonly #cutAt: number;

  constructor(directory: string, cutAt: number) {
    this.name = directory;
    this.#source = new DirectoryUpstream(directory);
    this.#cutAt = cutAt;
  }

  async open(path: string, from: number) {
    const { pieces, ...part } = await this.#source.open(path, from);
    const give = async function* (this: Dying): AsyncGenerator<Buffer> {
      for await (const whole of pieces) {
        for (let at = 0; at < whole.length; at += PIECE_BYTES) {
          if (++this.pieces > this.#cutAt) throw new PowerCut();
          yield whole.subarray(at, at + PIECE_BYTES);
        }
      }
    };
    return { ...part, pieces: give.call(this) };
  }
}

let machines = 0;
function machine() {
  const directory = join(place, `${++machines}`);
  const [source, state] = [join(directory, 'source'), join(directory, 'state')];
  const offer = (packages: readonly TestPackage[]): void => {
    rmSync(source, { recursive: true, force: true });
    writeRepository(source, 'v3.19/main', packages, signer);
  };
  const run = async (cutAt = Number.POSITIVE_INFINITY) => {
    const upstream = new Dying(source, cutAt);
    const result = await download({
      settings: {
        source,
        release: 'v3.19',
        repositories: [{ path: 'v3.19/main' }],
        architecture: 'x86_64',
        mode: 'exact',
        netboot: undefined,
      },
      keys: new Map([[signer.name, trustedKey(signer.name, signer.pem)]]),
      worlds: [{ machines: ['node1'], words: ['alpine-base'] }],
      store: new MirrorStore(state),
      seen: new SeenIndexes(state),
      upstream,
      signer: host0,
      now: new Date('2026-12-01T00:00:00Z'),
    });
    return { result, pieces: upstream.pieces };
  };
  return { source, state, pool: join(state, 'mirror/pool'), offer, run };
}

const hashOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** The packages that machines get now, as `name hash`. */
function served(state: string): readonly string[] {
  const tree = join(state, 'mirror/generations/current/files/v3.19/main/x86_64');
  return readdirSync(tree)
    .filter((name) => name.endsWith('.apk'))
    .toSorted()
    .map((name) => `${name} ${hashOf(join(tree, name))}`);
}

function offered(source: string, titles: readonly TestPackage[]): readonly string[] {
  const tree = join(source, 'v3.19/main/x86_64');
  return titles.map(({ title }) => `${title}.apk ${hashOf(join(tree, `${title}.apk`))}`).toSorted();
}

/** What a disk may have after a power cut of what was not synced: the contents of parts, and new names in the pool. */
function lose(pool: string, before: ReadonlySet<string>, random: () => number): string {
  const done: string[] = [];
  for (const name of readdirSync(pool).toSorted()) {
    const file = join(pool, name);
    if (name.endsWith('.part')) {
      const { size } = statSync(file);
      const kept = Math.floor(random() * (size + 1));
      const way = Math.floor(random() * 4);
      if (way === 0) truncateSync(file, kept);
      // The length was written, and the rest of the content was not: zeros, or what lay there before.
      else if (way < 3) writeFileSync(file, tailed(readFileSync(file), kept, way === 1 ? 0 : 0x5a));
      else rmSync(file);
      done.push(`${name}: ${['cut', 'zeros', 'rubbish', 'gone'][way]} at ${kept}`);
    } else if (!before.has(name) && random() < 0.5) {
      // A file was synced before it got its name; the name was not.
      renameSync(file, `${file}.part`);
      done.push(`${name}: unnamed`);
    }
  }
  return done.join(', ');
}

function tailed(bytes: Buffer, from: number, with_: number): Buffer {
  return Buffer.concat([bytes.subarray(0, from), Buffer.alloc(bytes.length - from, with_)]);
}

const POINTS = LONG ? 400 : 20;

test(`cut at ${POINTS} points of what comes in, twice each: the old generation, and then the new one`, async () => {
  const measured = machine();
  measured.offer(OLD);
  await measured.run();
  measured.offer(NEW);
  const { pieces } = await measured.run();
  expect(pieces).toBeGreaterThan(20);
  const seen = { parts: 0, names: 0 };
  for (let point = 0; point < POINTS; point++) {
    const random = randomFrom(point);
    const { source, state, pool, offer, run } = machine();
    offer(OLD);
    await run();
    const old = offered(source, OLD);
    const before = new Set(readdirSync(pool));
    offer(NEW);
    // The second time, what comes goes on from what is left of the first.
    for (let time = 0; time < 2; time++) {
      const outcome = await run(1 + Math.floor(random() * pieces)).catch((error: unknown) => error);
      if (!isCut(outcome)) break;
      const lost = lose(pool, before, random);
      seen.parts += lost.includes(' at ') ? 1 : 0;
      seen.names += lost.includes('unnamed') ? 1 : 0;
      expect(served(state), `point ${point}: ${lost}`).toEqual(old);
    }
    const { result } = await run();
    expect(result.outcome, `point ${point}`).toMatch(/^(?:published|unchanged)$/);
    expect(served(state), `point ${point}`).toEqual(offered(source, NEW));
    rmSync(join(state, '..'), { recursive: true });
  }
  expect(seen.parts).toBeGreaterThan(POINTS / 4);
  expect(seen.names).toBeGreaterThan(0);
}, 600_000);

/** The cut, or an error that has it as its cause. */
function isCut(outcome: unknown): boolean {
  return outcome instanceof PowerCut || (outcome instanceof Error && isCut(outcome.cause));
}
