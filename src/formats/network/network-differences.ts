/** The parts in which two networks differ, as in `mtuBytes 1450 → 1380`. */
import { isDeepStrictEqual } from 'node:util';
import type { Network } from '../../model/network/network.ts';

/** One text for each part that differs; none for equal networks. */
export function networkDifferences(before: Network, after: Network): string[] {
  return [...differing('', before, after)];
}

function* differing(path: string, before: unknown, after: unknown): Generator<string> {
  if (isDeepStrictEqual(before, after)) return;
  if (!isParted(before) || !isParted(after)) {
    yield `${path} ${textOf(before)} → ${textOf(after)}`;
    return;
  }
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    yield* differing(path === '' ? key : `${path}.${key}`, Reflect.get(before, key), Reflect.get(after, key));
  }
}

function isParted(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
