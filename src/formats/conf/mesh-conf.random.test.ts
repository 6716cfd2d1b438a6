/** Properties of the `.conf` format over random input. The seed is printed; `MESH_SEED=N` repeats a run. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { mesh } from '../../../test/kit/networks.ts';
import { randomFrom } from '../../../test/kit/random.ts';
import { type Ipv6Cidr, ipv6FromBigint, ipv6Subnet } from '../../model/address/ipv6.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { VNI_MAX } from '../../model/network/types/vxlan.ts';
import { errorText } from '../error-text.ts';
import { parseHost0Conf } from '../host0/host0-conf.ts';
import { parseMeshConf, printMeshConf } from './mesh-conf.ts';
import { judgeNetworkFiles } from './network-set.ts';

const FUZZ_MS = 2000;
const SEED = Number(process.env.MESH_SEED ?? Math.floor(Math.random() * 2 ** 32));
console.info(`MESH_SEED=${SEED}`);

/** Prints the values that a shell reads from each file, as lines of one file. */
const READ_BY_SHELL =
  'for file; do (. "$file"; printf "name=%s\\nprefix=%s\\nvni=%s\\nkey=%s\\0" "$name" "$prefix" "$vni" "$key"); done';

/** Networks, bytes and broken text, chosen by a seed. */
class Random {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  /** From 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  bits(count: number): bigint {
    let value = 0n;
    for (let i = 0; i < count; i += 16) value = (value << 16n) | BigInt(this.below(0x10000));
    return value;
  }

  of<T>(choices: ArrayLike<T>): T {
    return choices[this.below(choices.length)] as T;
  }

  network(): Mesh {
    const word = 'abcxyzABCXYZ0189';
    const length = this.below(63);
    const rest = Array.from({ length }, () => this.of(`${word}._-`)).join('');
    return mesh(this.of(word) + rest, 1 + this.below(VNI_MAX), {
      prefix: this.prefix(),
      key: String(this.bits(64) >> BigInt(this.below(65))),
    });
  }

  /** Unique local or global. */
  prefix(): Ipv6Cidr {
    const top = this.of([0xfdn, 0x20n, 0x2an]);
    return ipv6Subnet(
      ipv6FromBigint((top << 120n) | ((this.bits(64) & this.of([0n, 0xffn, 2n ** 56n - 1n])) << 64n)),
      64,
    );
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }

  /** The text with some bytes replaced, removed, repeated or put in. */
  mutated(text: string): Buffer {
    let bytes = Buffer.from(text);
    for (let times = 1 + this.below(4); times > 0; times--) {
      const at = this.below(bytes.length + 1);
      const end = Math.min(bytes.length, at + this.below(8));
      const put = this.of([
        this.bytes(this.below(4)),
        Buffer.from(
          this.of(['\n', '\r\n', '=', '#', '"', ' ', '/', ':', '0', '-', '\v', '\u00A0', '\uFEFF', 'vni=', 'é']),
        ),
        bytes.subarray(at, end),
        Buffer.alloc(this.of([0, 1, 2000, 70_000]), this.of([0, 32, 57, 97])),
      ]);
      bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(this.of([at, end]))]);
    }
    return bytes;
  }
}

test('a printed network is parsed as the same network', () => {
  const random = new Random(SEED);
  for (let i = 0; i < 1000; i++) {
    const network = random.network();
    const text = printMeshConf(network);
    const { conf, errors } = parseMeshConf('a.conf', Buffer.from(text));
    expect(errors, text).toEqual([]);
    expect(conf?.network).toEqual(network);
  }
});

test('a file without warnings has the same values for a shell', () => {
  const random = new Random(SEED);
  const directory = mkdtempSync(join(tmpdir(), 'mw-shell-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const networks = new Map<string, Mesh>();
  let warned = 0;
  for (let i = 0; networks.size < 60 || warned === 0; i++) {
    const file = join(directory, `${i}.conf`);
    const bytes = random.mutated(printMeshConf(random.network()));
    const { conf } = parseMeshConf(file, bytes);
    if (conf === undefined) continue;
    if (conf.warnings.length > 0) {
      warned++;
      continue;
    }
    writeFileSync(file, bytes);
    networks.set(file, conf.network);
  }
  const read = execFileSync('sh', ['-c', READ_BY_SHELL, 'sh', ...networks.keys()], { encoding: 'utf8' }).split('\0');
  for (const [index, [file, network]] of [...networks].entries()) {
    expect(parseMeshConf(file, Buffer.from(read[index] ?? '')).conf?.network, read[index]).toEqual(network);
  }
});

test('random bytes give a network or printable errors', () => {
  const random = new Random(SEED);
  const deadline = performance.now() + FUZZ_MS;
  let accepted = 0;
  let refused = 0;
  while (performance.now() < deadline) {
    const bytes =
      random.below(4) === 0 ? random.bytes(random.below(300)) : random.mutated(printMeshConf(random.network()));
    const { conf, errors } = parseMeshConf('a.conf', bytes);
    if (conf === undefined) {
      refused++;
      expect(errors).not.toEqual([]);
    } else {
      accepted++;
      expect(parseMeshConf('a.conf', Buffer.from(printMeshConf(conf.network))).conf?.network).toEqual(conf.network);
    }
    judgeNetworkFiles([
      { file: 'a.conf', bytes },
      { file: 'b.conf', bytes },
    ]);
    for (const error of [...errors, ...parseHost0Conf('host0.conf', bytes).errors]) {
      expect(error.code).toMatch(/^MESH_(?:CONF|NET)_/);
      // No control characters, and no endless lines.
      for (const line of errorText(error, { color: false }).split('\n')) expect(line).toMatch(/^\P{C}{0,2500}$/u);
    }
  }
  console.info(`${accepted} accepted, ${refused} refused`);
  expect(accepted).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
});
