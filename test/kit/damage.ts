/** Documents with random damage, as a false peer or a failing disk gives them. */
import { pick } from './random.ts';

/** Values that are wrong nearly everywhere: other types, other languages, names of prototypes, numbers without end. */
const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  1e300,
  Number.MAX_SAFE_INTEGER + 2,
  '',
  'x',
  '\u0000',
  '\u001b[2J',
  '../../etc/shadow',
  'toString',
  '__proto__',
  '10.0.0.1',
  '10.11.0.7 }\nadd table ip evil\ntable ip evil {',
  'include "/etc/shadow"',
  '0.0.0.0/0',
  '128.0.0.0/1',
  '::',
  'x'.repeat(10_000),
  [],
  {},
  [null],
  { length: 3 },
  { toString: 1 },
  Array.from({ length: 5_000 }, () => 'x'),
];

/** The seed of this run: MESH_SEED, or that of `scripts/check`, or a new one. It is printed. */
export function seedOfRun(): number {
  const { MESH_SEED, MESH_RUN_SEED } = process.env;
  const seed = Number(MESH_SEED ?? MESH_RUN_SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`MESH_SEED=${seed}`);
  return seed;
}

/** A copy of the document in which one random place has a random value, is missing, or has a strange neighbour. */
export function damaged(document: unknown, random: () => number): unknown {
  const copy: unknown = structuredClone(document);
  const places: { readonly at: object; readonly key: string }[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      places.push({ at: value, key });
      visit(inner);
    }
  };
  visit(copy);
  if (places.length === 0) return pick(random, VALUES);
  const { at, key } = pick(random, places);
  const choice = random();
  if (choice < 0.1) Reflect.deleteProperty(at, key);
  else if (choice < 0.15) Object.defineProperty(at, '__proto__', { value: { accepted: true }, enumerable: true });
  else Reflect.set(at, key, pick(random, VALUES));
  return copy;
}

/** The text of a damaged document; sometimes the text itself is cut, or has a number without end. */
export function damagedText(document: unknown, random: () => number): string {
  const text = JSON.stringify(damaged(document, random)) ?? '';
  const choice = random();
  if (choice < 0.1) return text.slice(0, Math.floor(random() * text.length));
  if (choice < 0.15) return text.replace(/:\s*-?\d+/, ':1e999');
  if (choice < 0.2) return `${'['.repeat(100_000)}${text}`;
  return text;
}
