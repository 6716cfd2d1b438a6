/** `test.yaml`: the tests of a directory, which `mesh lab test` runs on a lab of its own. */
import * as form from '../../model/form.ts';
import { readLabYaml } from '../topologies/lab-yaml.ts';
import { vmNumberOf } from '../topologies/vm-address.ts';

/** One command, and what is expected of it. */
export interface SuiteStep {
  readonly name: string;
  /** A machine, or `host0`. */
  readonly on: string;
  /** A line for the shell there. */
  readonly run: string;
  /** The command is repeated for so long, until it does what is expected. */
  readonly withinSec: number;
  readonly code: number;
  /** A regular expression that the output fits. */
  readonly says?: string;
}

/** All tests of one lab. */
export interface LabSuite {
  /** By name, or by a path that is relative to the directory. */
  readonly topology: string;
  readonly nodes?: number;
  readonly routers?: number;
  readonly testers?: number;
  readonly steps: readonly SuiteStep[];
}

const RULE =
  'A test.yaml has a topology, and steps: each with name, on, run, and what is expected: withinSec, code, says.';
const REMEDY = 'Compare it with the example in docs/clusters.md';
const STEPS_MAX = 1_000;
const TEXT_MAX = 65_536;
/** A command without a deadline of its own has so long. */
const WITHIN_SEC = 10;

const HostShape = form.worded(
  form.refined(form.string({ max: 16 }), (name) => name === 'host0' || vmNumberOf({ hostName: name }) !== undefined),
  'A step runs on a machine of the lab, as vm-001, or on host0.',
  'Write on: vm-001',
);
const PatternShape = form.worded(
  form.refined(form.string({ max: TEXT_MAX }), isPattern),
  'What the output says is a regular expression of JavaScript.',
);
const CountShape = form.int(0, 200);

const LabSuiteShape: form.Shape<LabSuite> = form.object({
  topology: form.string({ max: 4_096 }),
  nodes: form.exactOptional(CountShape),
  routers: form.exactOptional(CountShape),
  testers: form.exactOptional(CountShape),
  steps: form.listOf(
    form.object({
      name: form.string({ max: 1_000 }),
      on: HostShape,
      run: form.string({ max: TEXT_MAX }),
      withinSec: form.defaulted(form.int(1, 3_600), WITHIN_SEC),
      code: form.defaulted(form.int(0, 255), 0),
      says: form.exactOptional(PatternShape),
    }),
    STEPS_MAX,
  ),
});

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

/** @throws MESH_LAB_TOPOLOGY, MESH_CONF_* with the place in the file */
export function readSuite(file: string, text: string): LabSuite {
  return readLabYaml(LabSuiteShape, file, text, { rule: RULE, remedy: REMEDY }, ({ steps }, refuse) => {
    if (steps.length === 0) refuse(['steps'], 'there are no steps', { rule: RULE, remedy: REMEDY });
  });
}
