/** Files damaged as by a failing disk, a power cut, or a hand that slipped. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { pick } from './random.ts';

/** One way to damage the bytes of a file that is not empty. */
type Damage = (bytes: Buffer, random: () => number) => Buffer;

const flipBit: Damage = (bytes, random) => {
  const at = Math.floor(random() * bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  return bytes;
};
const changeByte: Damage = (bytes, random) => {
  const at = Math.floor(random() * bytes.length);
  // A letter or digit: what still looks like text is the hardest to find.
  bytes[at] = pick(random, [...Buffer.from('0123456789abcdefxyz":,')]);
  return bytes;
};
const cut: Damage = (bytes, random) => bytes.subarray(0, Math.floor(random() * bytes.length));
const zeroPart: Damage = (bytes, random) => {
  const begin = Math.floor(random() * bytes.length);
  return bytes.fill(0, begin, begin + 1 + Math.floor(random() * 4096));
};
/** As a disk loses a sector or a page. */
const zeroPage: Damage = (bytes, random) => {
  const page = Math.floor((random() * bytes.length) / 4096);
  return bytes.fill(0, page * 4096, (page + 1) * 4096);
};
const DAMAGES: readonly Damage[] = [flipBit, changeByte, cut, zeroPart, zeroPage, (bytes) => bytes.fill(0)];

/**
 * Damages the file at a random place; sometimes a directory takes its place.
 * @returns what was done, or undefined if the bytes are the same as before
 */
export function damageFile(path: string, random: () => number): string | undefined {
  const before = readFileSync(path);
  if (random() < 0.03) {
    rmSync(path);
    mkdirSync(path);
    return 'a directory';
  }
  const damage = pick(random, DAMAGES);
  const after = damage(Buffer.from(before), random);
  if (after.equals(before)) return undefined;
  writeFileSync(path, after);
  const place = after.findIndex((byte, index) => byte !== before[index]);
  return `${damage.name || 'zeros'} at ${place < 0 ? after.length : place} of ${before.length}`;
}
