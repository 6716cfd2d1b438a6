/** What a network says beyond its plain XML: the parts that differ, and how they are laid over what plain XML says. */
import { isDeepStrictEqual } from 'node:util';
import { type NetworkParts, SUBNET_PARTS } from './own-metadata.ts';

/** NetworkParts that plain XML says in full, or that host0 decides. */
const ELSEWHERE = new Set(['id', 'number', 'name', 'source']);

/** The parts of `whole` that are not in `plain`, or are different there. Undefined stands for a part that is absent. */
export function residual(plain: NetworkParts, whole: NetworkParts): NetworkParts {
  return Object.fromEntries(Object.entries(differing(plain, whole)).filter(([key]) => !ELSEWHERE.has(key)));
}

function differing(plain: NetworkParts, whole: NetworkParts): NetworkParts {
  const parts: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(plain), ...Object.keys(whole)])) {
    const [before, now] = [plain[key], whole[key]];
    if (isDeepStrictEqual(before, now)) continue;
    if (isParts(before) && isParts(now) && before.kind === now.kind && key !== 'extra' && key !== 'labels') {
      parts[key] = differing(before, now);
    } else if (key === 'subnets' && isSubnets(before) && isSubnets(now) && areKeyed(before, now)) {
      parts[SUBNET_PARTS] = now.flatMap((subnet, index) => {
        const other = before[index] ?? {};
        return isDeepStrictEqual(other, subnet) ? [] : [{ ...differing(other, subnet), cidr: subnet.cidr }];
      });
    } else parts[key] = now;
  }
  return parts;
}

/** Lays the parts of a residual over plain ones. */
export function overlaid(plain: NetworkParts, parts: NetworkParts): NetworkParts {
  const whole: Record<string, unknown> = { ...plain };
  for (const [key, now] of Object.entries(parts)) {
    const before = plain[key];
    if (key === SUBNET_PARTS) {
      whole.subnets = withParts(whole.subnets, now);
      continue;
    }
    if (now === undefined) delete whole[key];
    else if (
      isParts(before) &&
      isParts(now) &&
      (now.kind === undefined || before.kind === now.kind) &&
      key !== 'extra' &&
      key !== 'labels'
    ) {
      whole[key] = overlaid(before, now);
    } else whole[key] = now;
  }
  return whole;
}

function withParts(before: unknown, now: unknown): unknown {
  if (!isSubnets(before) || !isSubnets(now)) return before;
  return before.map((subnet) => {
    const more = now.find(({ cidr }) => cidr === subnet.cidr);
    return more === undefined ? subnet : overlaid(subnet, more);
  });
}

/** Whether both lists have the same subnets in the same order, each once. */
function areKeyed(before: readonly NetworkParts[], now: readonly NetworkParts[]): boolean {
  if (before.length === 0 || before.length !== now.length) return false;
  const cidrs = before.map(({ cidr }) => cidr);
  return new Set(cidrs).size === cidrs.length && now.every(({ cidr }, index) => cidr === cidrs[index]);
}

function isSubnets(value: unknown): value is readonly NetworkParts[] {
  return Array.isArray(value) && value.every(isParts);
}

function isParts(value: unknown): value is NetworkParts {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
