/** Carries out a plan: rank after rank, each rank in as few calls to the kernel as can be. */
import type { MeshError } from '../model/error.ts';
import { type ItemKey, kindOf, type Operation } from './items/item.ts';
import type { KernelPort } from './kernel-port.ts';
import { rankOf, type Step } from './plan.ts';

export interface Outcome {
  readonly step: Step;
  /** Undefined: done. */
  readonly error?: MeshError;
  /** Not tried, since what it stands on failed. */
  readonly waitsFor?: ItemKey;
}

/** Errors of a removal that say that it is gone already. */
const GONE = new Set(['ENODEV', 'ENOENT', 'ESRCH', 'EADDRNOTAVAIL', 'ENXIO']);

export async function apply(steps: readonly Step[], kernel: KernelPort): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const failed = new Set<ItemKey>();
  for (const batch of byRank(steps)) {
    const ready: Step[] = [];
    for (const step of batch) {
      const waitsFor = kindOf(step.item)
        .dependsOn(step.item)
        .find((key) => failed.has(key));
      if (waitsFor === undefined || step.action === 'delete') ready.push(step);
      else outcomes.push({ step, waitsFor });
    }
    for (const outcome of await applyBatch(ready, kernel)) {
      outcomes.push(outcome);
      if (outcome.error !== undefined) failed.add(outcome.step.key);
    }
  }
  return outcomes;
}

/** Neighbouring steps of one action class and rank: they do not depend on each other. */
function byRank(steps: readonly Step[]): Step[][] {
  const batches: Step[][] = [];
  let last: string | undefined;
  for (const step of steps) {
    const group = `${step.action === 'delete'} ${rankOf(step)}`;
    if (group !== last) batches.push([]);
    last = group;
    batches.at(-1)?.push(step);
  }
  return batches;
}

/**
 * The settings of a link come after all links of the batch: writing /proc between two netlink messages would cost a
 * round trip for each.
 */
async function applyBatch(steps: readonly Step[], kernel: KernelPort): Promise<Outcome[]> {
  const entries = steps.flatMap((step) => [
    ...removalsOf(step).map((operation) => ({ step, operation, removal: true })),
    ...additionsOf(step).map((operation) => ({ step, operation, removal: false })),
  ]);
  const ordered = [
    ...entries.filter(({ operation }) => operation.do !== 'sysctl'),
    ...entries.filter(({ operation }) => operation.do === 'sysctl'),
  ];
  const errors = await kernel.apply(ordered.map(({ operation }) => operation));
  const firstError = new Map<Step, MeshError>();
  for (const [index, { step, removal }] of ordered.entries()) {
    const error = errors[index];
    if (error === undefined || firstError.has(step) || (removal && isGone(error))) continue;
    firstError.set(step, error);
  }
  return steps.map((step) => {
    const error = firstError.get(step);
    return error === undefined ? { step } : { step, error };
  });
}

function removalsOf(step: Step): readonly Operation[] {
  switch (step.action) {
    case 'create':
    case 'change':
      return [];
    case 'recreate':
      return kindOf(step.item).remove(step.have);
    case 'delete':
      return kindOf(step.item).remove(step.item);
  }
}

function additionsOf(step: Step): readonly Operation[] {
  switch (step.action) {
    case 'create':
    case 'recreate':
      return kindOf(step.item).create(step.item);
    case 'change':
      return kindOf(step.item).change(step.have, step.item);
    case 'delete':
      return [];
  }
}

function isGone({ cause }: MeshError): boolean {
  return typeof cause === 'object' && cause !== null && 'name' in cause && GONE.has(String(cause.name));
}
